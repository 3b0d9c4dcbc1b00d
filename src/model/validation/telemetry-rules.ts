/** The semantic rules of Telemetry (facts l7-and-control 6.4, 9.4). */
import type { FieldReader, ReportProblem } from '../manifest/field-reader.ts';
import { readPolicyAttachment } from '../manifest/target-refs.ts';
import { checkDuration, headerNameProblem } from './value-rules.ts';

const TAG_SOURCES = ['literal', 'environment', 'header', 'formatter'];

export function checkTelemetry(spec: FieldReader, warn: ReportProblem): void {
  readPolicyAttachment(spec);
  checkTracing(spec.children('tracing'), warn);
  for (const metrics of spec.children('metrics')) {
    checkDuration(metrics, 'reportingInterval');
    for (const override of metrics.children('overrides')) checkTagOverrides(override.child('tagOverrides'));
  }
  for (const logging of spec.children('accessLogging')) {
    const filter = logging.child('filter');
    if (filter.isPresent && (filter.string('expression') ?? '').trim() === '') {
      filter.report('expression', 'must not be empty: leave filter out to log everything');
    }
  }
}

function checkTracing(entries: readonly FieldReader[], warn: ReportProblem): void {
  if (entries.length > 1 && entries[1] !== undefined) warn(entries[1].path, 'has no effect: only the first entry has');
  for (const tracing of entries) {
    if (tracing.children('providers').length > 1) {
      warn([...tracing.path, 'providers'], 'names several providers: only the first is used');
    }
    const tags = tracing.child('customTags');
    for (const name of tags.names()) checkTag(tags, name);
  }
}

function checkTag(tags: FieldReader, name: string): void {
  const tag = tags.child(name);
  if (name === '') tags.report(name, 'the name of a tag must not be empty');
  if (!TAG_SOURCES.some((source) => tag.has(source))) tag.report(undefined, `needs one of ${TAG_SOURCES.join(', ')}`);
  const header = tag.child('header').string('name');
  const problem = header === undefined ? undefined : headerNameProblem(header);
  if (problem !== undefined) tag.child('header').report('name', problem);
}

function checkTagOverrides(tags: FieldReader): void {
  for (const name of tags.names()) {
    const tag = tags.child(name);
    if (name === '') tags.report(name, 'the name of a tag must not be empty');
    const hasValue = (tag.string('value') ?? '') !== '';
    if (tag.raw('operation') === 'REMOVE' && hasValue) tag.report('value', 'must not be given with REMOVE');
    if ((tag.raw('operation') ?? 'UPSERT') === 'UPSERT' && !hasValue) tag.report('value', 'is required for UPSERT');
  }
}
