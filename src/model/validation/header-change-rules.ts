/** Changes of headers, of a rule or of one destination (facts l7-and-control 1.2). */
import { compileFormat } from '../../format/compile-format.ts';
import type { FieldReader } from '../manifest/field-reader.ts';
import { authorityProblem, headerNameProblem, isHeaderName, quoted } from './value-rules.ts';

/** @param rewritten the host that `rewrite.authority` sets already; '' for none */
export function checkHeaderChanges(headers: FieldReader, rewritten: string): void {
  checkOneDirection(headers.child('request'), true);
  checkOneDirection(headers.child('response'), false);
  let authority = rewritten;
  for (const list of ['set', 'add']) {
    const changes = headers.child('request').child(list);
    for (const name of changes.names()) {
      if (!isAuthority(name)) continue;
      if (authority !== '') changes.report(name, `the host is rewritten twice, to ${quoted(authority)} as well`);
      authority = changes.string(name) ?? '';
      const problem = hostValueProblem(authority);
      if (problem !== undefined) changes.report(name, problem);
    }
  }
}

function checkOneDirection(changes: FieldReader, isRequest: boolean): void {
  for (const list of ['set', 'add']) {
    const entries = changes.child(list);
    for (const name of entries.names()) {
      checkName(name, isRequest, (reason) => entries.report(name, reason));
      const problem = valueProblem(entries.string(name) ?? '');
      if (problem !== undefined) entries.report(name, problem);
    }
  }
  for (const name of changes.strings('remove')) {
    checkName(name, false, (reason) => changes.report('remove', reason));
  }
}

function checkName(name: string, hostIsFine: boolean, report: (reason: string) => void): void {
  if (isAuthority(name)) {
    if (!hostIsFine) report(`${quoted(name)} cannot be changed here: set it in a request`);
    return;
  }
  if (name.startsWith(':') && isHeaderName(name.slice(1))) report(`${quoted(name)} cannot be changed`);
  else {
    const problem = headerNameProblem(name);
    if (problem !== undefined) report(problem);
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones meant
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/;

function valueProblem(value: string): string | undefined {
  if (CONTROL.test(value)) return 'holds a control character, which no header value may';
  // An operator that waypoints do not have may be one of gateways.
  const format = compileFormat(value);
  return format.ok || format.error.kind === 'unsupported' ? undefined : format.error.reason;
}

/** What has an operator is left out, with a remark. */
function hostValueProblem(value: string): string | undefined {
  const format = compileFormat(value);
  return format.ok && format.value.literal !== undefined ? authorityProblem(format.value.literal) : undefined;
}

function isAuthority(name: string): boolean {
  const lower = name.toLowerCase();
  return lower === 'host' || lower === ':authority';
}
