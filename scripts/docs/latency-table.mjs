// Latencies at a fixed pace, one row per contestant, and how ambit compares with one of them.
import { table } from './markdown.mjs';
import { ratioOf, ratioText, spreadOf, timeText } from './samples.mjs';

const TITLES = { p50Us: 'p50', p99Us: 'p99', p999Us: 'p99.9' };

/**
 * @param groups what took turns: `{ results, title, fields, peer }`; a field that a group does not have stays empty
 * @param options the fields that are columns, and how contestants are called
 */
export function latencyTable(groups, { fields, nameOf }) {
  const rows = groups.flatMap((group) => {
    const cells = (text) => fields.map((field) => (group.fields.includes(field) ? text(field) : '–'));
    const ratio = (field) => ratioText(ratioOf(group.results, 'ambit', group.peer, field));
    return [
      ...group.results.map((result) => [
        group.title(result),
        nameOf(result.name),
        ...cells((field) => timeText(spreadOf(result, field))),
      ]),
      ['', `ambit / ${nameOf(group.peer)}`, ...cells(ratio)],
    ];
  });
  return table(['', 'contestant', ...fields.map((field) => TITLES[field])], rows);
}
