"""CloudWatch."""

import datetime

NAMESPACE = "Bivouac/calls"
NODE = [{"Name": "InstanceId", "Value": "i-1"}]


def run(ask):
    cloudwatch = ask.of("cloudwatch")
    minute = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
    minute -= datetime.timedelta(minutes=5)

    def put(what, namespace=NAMESPACE, **changes):
        datum = {"MetricName": "Misses", "Timestamp": minute, "Value": 1.0, "Unit": "Count"}
        data = [{name: value for name, value in (datum | changes).items() if value is not None}]
        cloudwatch(what, "put_metric_data", Namespace=namespace, MetricData=data)

    def refused(what, namespace="Bivouac/refused", **changes):
        put(what, namespace, **changes)

    put("a datum")
    put("a datum of a node", Value=3.0, Dimensions=NODE)
    put("many values", Value=None, MetricName="Many", Values=[1.0, 2.0], Counts=[1.0, 3.0])
    summed = {"SampleCount": 2.0, "Sum": 3.0, "Minimum": 1.0, "Maximum": 2.0}
    put("a summary", Value=None, MetricName="Summary", StatisticValues=summed)
    refused("a datum in the namespace of AWS", namespace="AWS/X")
    refused("a datum of an unknown unit", Unit="Photos")
    refused("a datum of 20 days ago", Timestamp=minute - datetime.timedelta(days=20))
    refused("a datum of tomorrow", Timestamp=minute + datetime.timedelta(days=1))
    refused("a datum without a value", Value=None)
    refused("a datum without a name", MetricName="")
    refused("a datum that is none", Value=float("nan"))
    refused("a datum with 31 dimensions", Dimensions=[{"Name": f"d{n}", "Value": "x"} for n in range(31)])

    cloudwatch("metrics", "list_metrics", Namespace=NAMESPACE)
    cloudwatch("metrics of a name", "list_metrics", Namespace=NAMESPACE, MetricName="Misses")
    cloudwatch("metrics of a node", "list_metrics", Namespace=NAMESPACE, Dimensions=NODE)
    cloudwatch("metrics of nobody", "list_metrics", Namespace="None")

    when = {"StartTime": minute - datetime.timedelta(minutes=1), "EndTime": minute + datetime.timedelta(minutes=2)}
    asked = {"Namespace": NAMESPACE, "MetricName": "Misses", "Period": 60, **when}
    every = ["Sum", "Average", "SampleCount", "Minimum", "Maximum"]
    cloudwatch("statistics", "get_metric_statistics", **asked, Statistics=every)
    cloudwatch("statistics of a node", "get_metric_statistics", **asked, Statistics=["Sum"], Dimensions=NODE)
    cloudwatch("statistics of nothing", "get_metric_statistics", **asked | {"MetricName": "None"}, Statistics=["Sum"])
    cloudwatch("statistics of seven seconds", "get_metric_statistics", **asked | {"Period": 7}, Statistics=["Sum"])
    backwards = {"StartTime": when["EndTime"], "EndTime": when["StartTime"]}
    cloudwatch("statistics backwards", "get_metric_statistics", **asked | backwards, Statistics=["Sum"])

    def data(what, name="misses", stat="Sum", metric="Misses", **changes):
        of = {"Metric": {"Namespace": NAMESPACE, "MetricName": metric}, "Period": 60, "Stat": stat}
        query = {"Id": name, "MetricStat": of, "Label": "misses"}
        cloudwatch(what, "get_metric_data", MetricDataQueries=[query], **when | changes)

    data("data")
    data("data, the oldest first", ScanBy="TimestampAscending")
    data("data of nothing", metric="None")
    data("data called in capitals", name="A")
    data("data of a statistic that is not there", stat="None")
