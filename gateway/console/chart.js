// The browser's half of chart.py: a panel for each series, drawn with ECharts, fed with new points only.

import { echarts } from "nicegui-echart";

const MAX_POINTS = 900; // LIVE_MAX_POINTS: the gateway has no more of a series either
const FEW = 30; // a series this sparse is drawn with dots, or a single reading would not be seen
const GAP = { factor: 5, atLeast: 10_000 }; // a pause this long breaks the line instead of bridging it

function si(value) {
  const size = Math.abs(value);
  for (const [from, prefix] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]])
    if (size >= from) return +(value / (prefix === "k" ? 1e3 : from)).toPrecision(4) + prefix;
  return String(+value.toPrecision(4));
}

function color(name, element) {
  return getComputedStyle(element).getPropertyValue(name).trim();
}

function resolve(css, element) {
  const match = /^var\((.+)\)$/.exec(css);
  return match ? color(match[1], element) : css;
}

export default {
  template: `
    <div>
      <ul v-if="panels.length && panels[0].lines.length > 1" class="hr-legend" aria-label="Devices on the chart">
        <li v-for="line in panels[0].lines" :key="line.device">
          <i :style="{ background: line.color }" aria-hidden="true"></i>{{ line.device }}
        </li>
      </ul>
      <section v-for="(panel, p) in panels" :key="panel.name" class="hr-panel">
        <header>
          <h3 :title="panel.name">{{ panel.name }}</h3><span class="hr-unit">{{ panel.unit }}</span>
          <ul>
            <li v-for="(line, d) in panel.lines" :key="line.device" :title="line.device">
              <i :style="{ background: line.color }" aria-hidden="true"></i>
              <b>{{ latest[p * panel.lines.length + d] }}</b>
            </li>
          </ul>
        </header>
        <div class="hr-plot" role="img" ref="plots"
             :aria-label="panel.name + ' of ' + panel.lines.map((line) => line.device).join(', ') + ', last five minutes'"></div>
      </section>
    </div>
  `,
  data: () => ({ panels: [], latest: [] }),
  created() {
    // Not reactive: Vue must not look into charts and thousands of points.
    this.charts = [];
    this.points = [];
    this.queue = Promise.resolve();
  },
  mounted() {
    this.resizes = new ResizeObserver(() => this.charts.forEach((chart) => chart.resize()));
    this.resizes.observe(this.$el);
    this.scheme = window.matchMedia("(prefers-color-scheme: dark)");
    this.recolor = () => setTimeout(() => this.charts.forEach((_, p) => this.dress(p)), 50);
    this.scheme.addEventListener("change", this.recolor);
  },
  beforeUnmount() {
    this.resizes.disconnect();
    this.scheme.removeEventListener("change", this.recolor);
    this.charts.forEach((chart) => chart.dispose());
  },
  methods: {
    apply(update) {
      // One after the other: panels are there only after Vue has drawn them.
      this.queue = this.queue.then(() => this.take(update));
    },
    async take({ panels, lines, start, end }) {
      if (panels) await this.rebuild(panels);
      const short = end - start < 150_000;
      const axisLabel = { formatter: short ? "{HH}:{mm}:{ss}" : "{HH}:{mm}" };
      lines.forEach(([fresh], index) => this.extend(this.points[index], fresh, start));
      this.latest = lines.map(([, latest]) => latest);
      this.charts.forEach((chart, p) => {
        const count = this.panels[p].lines.length;
        const data = this.points.slice(p * count, (p + 1) * count);
        chart.setOption({
          xAxis: { min: start, max: end, minInterval: short ? 15_000 : 60_000, axisLabel },
          series: data.map((points) => ({ data: points, showSymbol: points.length < FEW })),
        });
      });
    },
    async rebuild(panels) {
      this.charts.forEach((chart) => chart.dispose());
      this.charts = [];
      this.panels = panels;
      this.points = panels.flatMap((panel) => panel.lines.map(() => []));
      await this.$nextTick();
      const plots = [...this.$el.querySelectorAll(".hr-plot")];
      this.charts = plots.map((plot) => echarts.init(plot));
      this.charts.forEach((chart, p) => {
        this.dress(p);
        chart.group = "headrace";
      });
      echarts.connect("headrace");
    },
    extend(points, fresh, start) {
      for (const [time, value] of fresh) {
        const last = points.at(-1);
        const before = points.at(-2);
        const usual = last && before && last[1] !== null ? last[0] - before[0] : 0;
        if (last && time - last[0] > Math.max(GAP.atLeast, GAP.factor * usual)) points.push([time - 1, null]);
        points.push([time, value]);
      }
      // One point before the window stays, so that the line comes in from the edge.
      let old = Math.max(0, points.length - MAX_POINTS);
      while (old + 1 < points.length && points[old + 1][0] < start) old += 1;
      points.splice(0, old);
    },
    dress(p) {
      const ink = color("--muted", this.$el);
      const rule = color("--rule", this.$el);
      const label = { color: ink, fontSize: 11, fontFamily: "inherit" };
      this.charts[p].setOption({
        animation: false,
        grid: { left: 46, right: 10, top: 6, bottom: 20 },
        tooltip: {
          trigger: "axis",
          renderMode: "richText", // names come from devices: never as HTML
          confine: true,
          valueFormatter: (value) => (value === null || value === undefined ? "–" : si(value)),
          backgroundColor: color("--card", this.$el),
          borderColor: rule,
          textStyle: { color: color("--ink", this.$el), fontSize: 12 },
        },
        xAxis: {
          type: "time",
          splitNumber: 5,
          axisLine: { lineStyle: { color: rule } },
          axisTick: { lineStyle: { color: rule } },
          axisLabel: { ...label, hideOverlap: true },
        },
        yAxis: {
          type: "value",
          scale: true,
          splitNumber: 2,
          axisLabel: { ...label, formatter: si },
          splitLine: { lineStyle: { color: rule } },
        },
        series: this.panels[p].lines.map((line) => ({
          type: "line",
          name: line.device,
          symbol: "circle",
          symbolSize: 4,
          lineStyle: { width: 1.5 },
          color: resolve(line.color, this.$el),
          emphasis: { disabled: true },
        })),
      });
    },
  },
};
