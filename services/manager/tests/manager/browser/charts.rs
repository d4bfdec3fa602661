//! The charts: with figures, with gaps, with none, and when CloudWatch refuses.

use super::at;
use crate::metrics::half_an_hour;
use crate::world::World;

/// Whether anything was drawn into a chart's canvas.
const DRAWN: &str = r"[...document.querySelectorAll('.plot canvas')].filter((canvas) =>
  canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean)).length";

#[tokio::test]
async fn charts_are_drawn_from_their_tables_and_their_values_can_be_hovered_over() {
    let world = World::start_resized(&[(23, 1, 2), (11, 2, 4), (3, 4, 1)]).await;
    world.serving(1).await;
    world.metrics.publish(half_an_hour);
    let browser = at(&world, "/").await;
    browser.until(&format!("{DRAWN} === 6")).await;
    browser.look("overview").await;
    // The cursor of one shows the values of all.
    browser
        .run(
            "const over = document.querySelector('#chart-items .u-over');
             const box = over.getBoundingClientRect();
             const at = { bubbles: true, clientX: box.left + box.width - 2, clientY: box.top + 20 };
             over.dispatchEvent(new MouseEvent('mouseenter', at));
             over.dispatchEvent(new MouseEvent('mousemove', at));",
        )
        .await;
    let newest = browser.text("#chart-miss-rate .newest").await;
    assert!(newest.ends_with(" %"), "{newest}");
    let read = "[...document.querySelectorAll('#chart-miss-rate .u-value')].map((value) => value.textContent)";
    let newest = serde_json::Value::from(newest);
    browser.until(&format!("{read}.includes({newest})")).await;
    browser.click("#chart-miss-rate summary").await;
    browser
        .until("document.querySelector('#chart-miss-rate details').open")
        .await;
    browser.look("overview-values").await;
    browser.close(&[]).await;
}

#[tokio::test]
async fn each_node_has_a_line_when_it_is_asked_for() {
    let world = World::start().await;
    world.serving(1).await;
    world.post("/api/configure_cache?numNodes=8").await;
    world.serving(8).await;
    world.metrics.publish(half_an_hour);
    let browser = at(&world, "/").await;
    browser.click("[href^='/?nodes=each']").await;
    browser
        .until("document.querySelectorAll('#chart-items .u-series').length === 10")
        .await;
    browser.look("overview-each").await;
    browser.close(&[]).await;
}

#[tokio::test]
async fn a_pool_without_figures_has_charts_that_say_so() {
    let world = World::start().await;
    world.serving(1).await;
    let browser = at(&world, "/").await;
    browser.until_said("No figures in these 30 minutes.").await;
    browser.look("overview-empty").await;
    browser.close(&[]).await;
}

#[tokio::test]
async fn a_cloudwatch_that_refuses_is_said_once() {
    let world = World::start().await;
    world.serving(1).await;
    world.metrics.fail(true);
    let browser = at(&world, "/").await;
    browser
        .until_said("Could not read the metrics: AccessDenied.")
        .await;
    assert_eq!(browser.count(".charts > .notice").await, 1);
    browser.look("overview-refused").await;
    browser.close(&[]).await;
}

#[tokio::test]
async fn charts_are_drawn_anew_in_the_other_colours_and_at_another_width() {
    let world = World::start().await;
    world.serving(1).await;
    world.metrics.publish(half_an_hour);
    let browser = at(&world, "/").await;
    browser.until(&format!("{DRAWN} === 6")).await;
    browser
        .run("document.querySelector('main').classList.add('narrow')")
        .await;
    browser
        .until(
            "[...document.querySelectorAll('.plot')].every((plot) =>
               Math.abs(plot.clientWidth - plot.querySelector('.u-wrap').clientWidth) <= 1)",
        )
        .await;
    browser.close(&[]).await;
}
