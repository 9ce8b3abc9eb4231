// The browser's half of table.py: a plain table whose rows are patched in place.

const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const DAY = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

export default {
  template: `
    <div class="hr-scroll" role="region" :aria-label="label" tabindex="0">
      <table class="hr-table">
        <thead>
          <tr>
            <th v-for="column in columns" :key="column.name" scope="col" :class="classes(column)"
                :aria-sort="ariaSort(column)" :title="column.title || null">
              <button v-if="column.sortable" type="button" @click="$emit('sort', column.name)">{{ column.label
                }}<span class="hr-arrow" aria-hidden="true">{{ arrow(column) }}</span></button>
              <template v-else>{{ column.label }}</template>
            </th>
          </tr>
        </thead>
        <tbody>
          <tr v-for="key in order" :key="key" :class="{ chosen: rows[key].chosen }" @click="$emit('choose', key)">
            <td v-for="(column, i) in columns" :key="column.name" :class="classes(column)"
                :title="title(column, rows[key].cells[i])">
              <label v-if="column.kind === 'check'" class="hr-check" @click.stop>
                <input type="checkbox" :checked="rows[key].cells[i].checked" :aria-label="rows[key].cells[i].title"
                       @change="toggle($event, key, rows[key].cells[i])" />
                <span :style="{ '--mark': rows[key].cells[i].color }"></span>
              </label>
              <button v-else-if="column.kind === 'key'" type="button" @click.stop="$emit('choose', key)"
                      :aria-pressed="rows[key].chosen">{{ text(column, rows[key].cells[i]) }}</button>
              <span v-else-if="column.kind === 'badge'" class="hr-badge" :class="tone(rows[key].cells[i])">{{
                text(column, rows[key].cells[i]) }}</span>
              <span v-else :class="tone(rows[key].cells[i])">{{ text(column, rows[key].cells[i]) }}</span>
            </td>
          </tr>
        </tbody>
      </table>
    </div>
  `,
  props: { label: String, columns: Array },
  data: () => ({ order: [], rows: {}, sortedBy: "", descending: false }),
  methods: {
    apply({ order, rows }) {
      Object.assign(this.rows, rows);
      if (!order) return;
      this.order = order;
      const kept = new Set(order);
      for (const key of Object.keys(this.rows)) if (!kept.has(key)) delete this.rows[key];
    },
    sorting(column, descending) {
      this.sortedBy = column;
      this.descending = descending;
    },
    toggle(event, key, cell) {
      event.target.checked = cell.checked; // the gateway decides: there is a bound on devices
      this.$emit("toggle", key);
    },
    classes(column) {
      return ["kind-" + column.kind, "hr-col-" + column.name, { minor: column.minor }];
    },
    tone(cell) {
      return cell.tone ? "tone-" + cell.tone : "";
    },
    text(column, cell) {
      if (column.kind !== "time") return typeof cell === "string" ? cell : cell.text;
      if (!cell.time) return "–";
      const time = new Date(cell.time);
      const today = Date.now() - cell.time < 12 * 3600 * 1000;
      return today ? time.toLocaleTimeString([], TIME) : time.toLocaleString([], DAY);
    },
    title(column, cell) {
      if (column.kind === "time") return cell.time ? new Date(cell.time).toLocaleString() : null;
      return cell.title || null;
    },
    arrow(column) {
      if (column.name !== this.sortedBy) return "";
      return this.descending ? " ↓" : " ↑";
    },
    ariaSort(column) {
      if (!column.sortable || column.name !== this.sortedBy) return null;
      return this.descending ? "descending" : "ascending";
    },
  },
};
