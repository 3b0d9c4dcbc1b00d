/** Preferences of localities, each `region/zone/subzone` or a part with `*` at its end (facts l7-and-control 2.2, 2.6). */
import type { FieldReader, ReportProblem } from '../manifest/field-reader.ts';
import { numberOf, quoted } from './value-rules.ts';

const MAX_PARTS = 3;
const ALL_PERCENT = 100;

/** @param ejects whether failing endpoints are taken out, without which nothing fails over */
export function checkLocalitySettings(setting: FieldReader, ejects: boolean, warn: ReportProblem): void {
  if (!setting.isPresent) return;
  const distribute = setting.children('distribute');
  reportOverlaps(setting, 'distribute', distribute.map(fromOf));
  for (const entry of distribute) checkShares(entry);
  const failover = setting.children('failover');
  for (const entry of failover) {
    const { from, to } = { from: fromOf(entry), to: entry.string('to') ?? '' };
    if (from === to) entry.report('to', `must be another region than from, ${quoted(from)}`);
    for (const [name, region] of Object.entries({ from, to })) {
      if (/[/*]/.test(region)) entry.report(name, `${quoted(region)} is not a region: failover is between regions`);
    }
  }
  reportOverlaps(setting, 'failover', failover.map(fromOf));
  if (!ejects && (failover.length > 0 || setting.strings('failoverPriority').length > 0)) {
    warn(setting.path, 'fails over only with outlierDetection, which is missing');
  }
}

function checkShares(entry: FieldReader): void {
  checkForm(entry, 'from', fromOf(entry));
  const to = entry.child('to');
  let sum = 0;
  for (const locality of to.names()) {
    checkForm(to, locality, locality);
    sum += numberOf(to, locality) ?? 0;
  }
  if (sum !== ALL_PERCENT) entry.report('to', `the shares must add up to ${ALL_PERCENT}, not ${sum}`);
  reportOverlaps(entry, 'to', to.names());
}

function checkForm(reader: FieldReader, name: string, locality: string): void {
  const parts = locality.split('/', MAX_PARTS + 1);
  const isRight = parts.length <= MAX_PARTS && parts.every((part, index) => isPart(part, index === parts.length - 1));
  if (!isRight) reader.report(name, `${quoted(locality)} is not region/zone/subzone, with * at the end only`);
}

function isPart(part: string, isLast: boolean): boolean {
  return part !== '' && (part === '*' ? isLast : !part.includes('*'));
}

/** Two localities overlap when one is the beginning of the other; sorted, such two are neighbours. */
function reportOverlaps(reader: FieldReader, name: string, localities: readonly string[]): void {
  const sorted = localities.map((text) => ({ text, start: `${text.replace(/\/?\*$/, '')}/`.replace(/^\/$/, '') }));
  sorted.sort((a, b) => (a.start < b.start ? -1 : 1));
  for (const [index, { text, start }] of sorted.entries()) {
    const before = sorted[index - 1];
    if (before !== undefined && start.startsWith(before.start)) {
      reader.report(name, `${quoted(before.text)} and ${quoted(text)} overlap`);
    }
  }
}

function fromOf(entry: FieldReader): string {
  return entry.string('from') ?? '';
}
