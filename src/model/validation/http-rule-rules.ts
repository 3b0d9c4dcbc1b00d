/** One HTTP rule of a VirtualService (facts l7-and-control 1.2). */
import type { FieldReader, ReportProblem } from '../manifest/field-reader.ts';
import { isNamespaceName, isObjectName } from '../manifest/object-meta.ts';
import { checkCors } from './cors-rules.ts';
import { checkDestination, checkWeightedRoutes } from './destination-rules.ts';
import { checkHeaderChanges } from './header-change-rules.ts';
import { checkDirectResponse, checkRedirect, checkRewrite } from './http-action-rules.ts';
import { checkFault, checkRetries } from './http-failure-rules.ts';
import { checkHttpMatch } from './http-match-rules.ts';
import { checkPercent, quoted } from './value-rules.ts';

/** What cannot be together in a rule, each pair by the field that is reported. */
const CONFLICTS: readonly (readonly [field: string, other: string])[] = [
  ['redirect', 'route'],
  ['fault', 'redirect'],
  ['rewrite', 'redirect'],
  ['directResponse', 'redirect'],
  ['directResponse', 'route'],
  ['fault', 'directResponse'],
  ['rewrite', 'directResponse'],
  ['mirrors', 'mirror'],
  ['delegate', 'route'],
  ['delegate', 'redirect'],
];

export interface HttpRuleContext {
  /** Whether the resource has no hosts: others delegate to it. */
  readonly isDelegate: boolean;
}

export function checkHttpRule(rule: FieldReader, context: HttpRuleContext, warn: ReportProblem): void {
  checkActions(rule);
  const matches = rule.children('match');
  for (const match of matches) checkHttpMatch(match, warn);
  const rewritten = rule.child('rewrite').string('authority') ?? '';
  checkHeaderChanges(rule.child('headers'), rewritten);
  for (const route of checkWeightedRoutes(rule)) checkHeaderChanges(route.child('headers'), rewritten);
  checkRewrite(rule.child('rewrite'));
  checkRedirect(rule.child('redirect'), matches, warn);
  checkDirectResponse(rule.child('directResponse'), warn);
  checkDelegate(rule.child('delegate'), context.isDelegate);
  checkFault(rule.child('fault'), warn);
  checkRetries(rule, warn);
  checkMirrors(rule, warn);
  checkCors(rule.child('corsPolicy'), warn);
}

/** Whether a rule takes every request, so that the rules after it are never reached. */
export function takesEverything(rule: FieldReader): boolean {
  const matches = rule.children('match');
  return matches.length === 0 || matches.some(isCatchAll);
}

function isCatchAll(match: FieldReader): boolean {
  const isAnyPath = !match.has('uri') || match.child('uri').raw('prefix') === '/';
  return isAnyPath && match.names().every((name) => name === 'name' || name === 'uri');
}

function checkActions(rule: FieldReader): void {
  for (const [field, other] of CONFLICTS) {
    if (isGiven(rule, field) && isGiven(rule, other)) rule.report(field, `cannot be combined with ${other}`);
  }
  if (!['route', 'redirect', 'directResponse', 'delegate'].some((name) => isGiven(rule, name))) {
    rule.report(undefined, 'does nothing: needs one of route, redirect, directResponse, delegate');
  }
}

function checkDelegate(delegate: FieldReader, isDelegate: boolean): void {
  if (!delegate.isPresent) return;
  if (isDelegate)
    delegate.report(undefined, 'a VirtualService without hosts is a delegate, and cannot delegate further');
  const name = delegate.required('name');
  if (name !== '' && !isObjectName(name)) delegate.report('name', `${quoted(name)} is not the name of an object`);
  const namespace = delegate.string('namespace') ?? '';
  if (namespace !== '' && !isNamespaceName(namespace)) {
    delegate.report('namespace', `${quoted(namespace)} is not a namespace`);
  }
}

function checkMirrors(rule: FieldReader, warn: ReportProblem): void {
  const mirror = rule.child('mirror');
  if (mirror.isPresent) checkDestination(mirror);
  checkPercent(rule.child('mirrorPercentage'), 'value');
  checkPercent(rule, 'mirrorPercent');
  if (rule.has('mirrorPercent')) warn([...rule.path, 'mirrorPercent'], 'is deprecated: use mirrorPercentage');
  for (const entry of rule.children('mirrors')) {
    checkDestination(entry.child('destination'));
    checkPercent(entry.child('percentage'), 'value');
  }
}

function isGiven(rule: FieldReader, name: string): boolean {
  const value = rule.raw(name);
  return value !== undefined && !(Array.isArray(value) && value.length === 0);
}
