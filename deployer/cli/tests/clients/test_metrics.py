"""boto3: metrics. Today's speaks CBOR, that of 2023 the Query protocol."""

import datetime
import unittest

from support import client, refusal

NAMESPACE = "Bivouac/boto3"
NODE = [{"Name": "InstanceId", "Value": "i-1 <x>"}]


class Metrics(unittest.TestCase):
    def setUp(self):
        self.metrics = client("cloudwatch")
        now = datetime.datetime.now(datetime.timezone.utc)
        self.minute = now.replace(second=0, microsecond=0) - datetime.timedelta(minutes=2)

    def put(self, name, **datum):
        data = [{"MetricName": name, "Timestamp": self.minute, **datum}]
        self.metrics.put_metric_data(Namespace=NAMESPACE, MetricData=data)

    def window(self):
        return {
            "StartTime": self.minute,
            "EndTime": self.minute + datetime.timedelta(minutes=1),
        }

    def test_what_is_put_is_listed_and_read_back(self):
        self.put("Hits", Value=1.5, Unit="Count", Dimensions=NODE)
        self.put("Hits", Values=[2.0, 4.0], Counts=[1.0, 2.0], Unit="Count", Dimensions=NODE)
        self.put("Empty", Value=0.0, Dimensions=[])
        sums = {"SampleCount": 3.0, "Sum": 6.0, "Minimum": 1.0, "Maximum": 3.0}
        self.put("Sums", StatisticValues=sums)
        listed = self.metrics.list_metrics(Namespace=NAMESPACE)["Metrics"]
        self.assertEqual(sorted(one["MetricName"] for one in listed), ["Empty", "Hits", "Sums"])
        [hits] = self.metrics.list_metrics(Namespace=NAMESPACE, Dimensions=NODE)["Metrics"]
        self.assertEqual(hits["Dimensions"], NODE)
        told = self.metrics.get_metric_statistics(
            Namespace=NAMESPACE,
            MetricName="Hits",
            Dimensions=NODE,
            Period=60,
            Statistics=["Sum", "SampleCount", "Average", "Minimum", "Maximum"],
            **self.window(),
        )
        [point] = told["Datapoints"]
        self.assertEqual(point["Timestamp"], self.minute)
        self.assertEqual((point["Sum"], point["SampleCount"]), (11.5, 4.0))
        self.assertEqual((point["Minimum"], point["Maximum"]), (1.5, 4.0))
        self.assertEqual((point["Average"], point["Unit"]), (2.875, "Count"))
        self.read_data()

    def read_data(self):
        def query(name, stat, dimensions):
            metric = {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions}
            wanted = {"Metric": metric, "Period": 60, "Stat": stat}
            return {"Id": name.lower(), "MetricStat": wanted, "ReturnData": True}

        told = self.metrics.get_metric_data(
            MetricDataQueries=[
                query("Hits", "Average", NODE),
                query("Sums", "Maximum", []),
                query("Nothing", "Sum", []),
            ],
            ScanBy="TimestampAscending",
            MaxDatapoints=10,
            **self.window(),
        )
        hits, sums, nothing = told["MetricDataResults"]
        self.assertEqual((hits["Timestamps"], hits["Values"]), ([self.minute], [2.875]))
        self.assertEqual((sums["Id"], sums["Values"]), ("sums", [3.0]))
        self.assertEqual((nothing["StatusCode"], nothing["Values"]), ("Complete", []))

    def test_a_thousand_data_in_one_call(self):
        data = [
            {"MetricName": f"M{n}", "Value": float(n), "Dimensions": NODE} for n in range(1000)
        ]
        self.metrics.put_metric_data(Namespace="Bivouac/many", MetricData=data)
        pages = self.metrics.get_paginator("list_metrics").paginate(Namespace="Bivouac/many")
        self.assertEqual(sum(len(page["Metrics"]) for page in pages), 1000)

    def test_what_is_wrong_is_named(self):
        datum = {"MetricName": "X", "Value": 1.0, "Unit": "Parsecs"}
        put = self.metrics.put_metric_data
        code, status, said = refusal(put, Namespace=NAMESPACE, MetricData=[datum])
        self.assertEqual((code, status), ("InvalidParameterValue", 400))
        self.assertIn("MetricData.member.1.Unit", said)
        code, status, _ = refusal(put, Namespace=NAMESPACE, MetricData=[{"MetricName": "X"}])
        self.assertEqual((code, status), ("MissingParameter", 400))
        code, status, said = refusal(
            self.metrics.get_metric_statistics,
            **{"Namespace": NAMESPACE, "MetricName": "X", "Period": 60, "Statistics": ["Sum"]},
            **{"StartTime": self.minute, "EndTime": self.minute},
        )
        self.assertEqual((code, status), ("InvalidParameterValue", 400))
        self.assertIn("StartTime must not equal parameter EndTime", said)


if __name__ == "__main__":
    unittest.main()
