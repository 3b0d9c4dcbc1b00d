// Grafana dashboards from short descriptions: rows of panels, each with its questions to Prometheus.

const WIDTH = 24;
const HEIGHT = 8;
const STAT_HEIGHT = 4;
const DATASOURCE = { type: 'prometheus', uid: '$datasource' };

/** A chart over time. @param questions [PromQL, legend] pairs */
export const chart = (title, unit, ...questions) => ({ type: 'timeseries', title, unit, questions });

/** One number. */
export const stat = (title, unit, question) => ({ type: 'stat', title, unit, questions: [[question, '']] });

/** One line for each set of labels; the columns are the questions. */
export const table = (title, by, ...columns) => ({ type: 'table', title, by, columns });

/** A variable whose values are those of a label. */
export const variable = (name, label, metric, { all = true } = {}) => ({
  name,
  label: name,
  type: 'query',
  datasource: DATASOURCE,
  definition: `label_values(${metric}, ${label})`,
  query: { query: `label_values(${metric}, ${label})`, refId: name },
  refresh: 2,
  sort: 1,
  includeAll: all,
  multi: all,
  ...(all ? { allValue: '.*', current: { text: 'All', value: '$__all' } } : {}),
});

/** The dashboard as Grafana imports it. */
export function dashboard({ uid, title, description, variables = [], rows }) {
  return {
    uid,
    title,
    description,
    tags: ['ambit'],
    schemaVersion: 39,
    editable: true,
    refresh: '15s',
    time: { from: 'now-30m', to: 'now' },
    timezone: 'browser',
    templating: {
      list: [{ name: 'datasource', label: 'data source', type: 'datasource', query: 'prometheus' }, ...variables],
    },
    panels: layOut(rows),
  };
}

function layOut(rows) {
  const panels = [];
  let y = 0;
  for (const [title, ...cells] of rows) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title,
      collapsed: false,
      gridPos: { x: 0, y, w: WIDTH, h: 1 },
      panels: [],
    });
    y += 1;
    const height = cells.every(({ type }) => type === 'stat') ? STAT_HEIGHT : HEIGHT;
    const width = Math.floor(WIDTH / cells.length);
    for (const [index, cell] of cells.entries()) {
      panels.push(panel(panels.length + 1, cell, { x: index * width, y, w: width, h: height }));
    }
    y += height;
  }
  return panels;
}

function panel(id, cell, gridPos) {
  const { type, title, unit } = cell;
  const common = { id, type, title, datasource: DATASOURCE, gridPos };
  if (type === 'table') return { ...common, ...tableOf(cell) };
  const targets = cell.questions.map(([expr, legendFormat], index) => target(expr, index, { legendFormat }));
  const options =
    type === 'stat'
      ? { reduceOptions: { calcs: ['lastNotNull'] }, colorMode: 'none', graphMode: 'area' }
      : { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } };
  const defaults = { unit, min: 0, ...(unit === 'percentunit' ? { max: 1 } : {}) };
  return { ...common, targets, options, fieldConfig: { defaults, overrides: [] } };
}

function tableOf({ by, columns }) {
  const targets = columns.map(([, expr], index) => target(expr, index, { format: 'table', instant: true }));
  const renamed = Object.fromEntries(columns.map(([name], index) => [`Value #${refId(index)}`, name]));
  const overrides = columns.map(([name, , unit]) => ({
    matcher: { id: 'byName', options: name },
    properties: [{ id: 'unit', value: unit }],
  }));
  return {
    targets,
    transformations: [
      { id: 'merge', options: {} },
      { id: 'organize', options: { excludeByName: { Time: true }, indexByName: order(by), renameByName: renamed } },
    ],
    options: { sortBy: [{ displayName: columns[0][0], desc: true }] },
    fieldConfig: { defaults: {}, overrides },
  };
}

const order = (labels) => Object.fromEntries(labels.map((label, index) => [label, index]));
const refId = (index) => String.fromCharCode(65 + index);
const target = (expr, index, more) => ({ refId: refId(index), datasource: DATASOURCE, expr, ...more });
