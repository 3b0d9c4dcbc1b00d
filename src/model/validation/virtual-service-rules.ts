/** The semantic rules of VirtualService (facts l7-and-control 1). */
import type { FieldReader, ReportProblem } from '../manifest/field-reader.ts';
import { excessRegex, TOO_MANY_REGEXES } from '../regex/regex-total.ts';
import { HostPatterns, hostProblem } from './host-rules.ts';
import { checkHttpRule, takesEverything } from './http-rule-rules.ts';
import { checkTcpRule, checkTlsRule } from './l4-rule-rules.ts';
import { quoted } from './value-rules.ts';
import { checkExportTo, checkGatewayNames, includesMesh } from './visibility-rules.ts';

export function checkVirtualService(spec: FieldReader, warn: ReportProblem): void {
  const excess = excessRegex(spec.fields);
  // Nothing else is looked at, as that would compile all of them.
  if (excess !== undefined) return spec.reportAt(excess, `is one of ${TOO_MANY_REGEXES}`);
  const hosts = spec.strings('hosts');
  const gateways = spec.strings('gateways');
  const rules = { http: spec.children('http'), tls: spec.children('tls'), tcp: spec.children('tcp') };
  checkGatewayNames(spec, warn);
  checkExportTo(spec, 'somebody');
  const isDelegate = !spec.has('hosts') || isEmptyList(spec.raw('hosts'));
  if (isDelegate) checkDelegated(spec);
  else checkHosts(spec, hosts, includesMesh(gateways));
  if (rules.http.length + rules.tls.length + rules.tcp.length === 0) {
    spec.report(undefined, 'routes nothing: needs at least one rule in http, tls or tcp');
  }
  const context = { isDelegate };
  for (const rule of rules.http) checkHttpRule(rule, context, warn);
  warnOfUnreachable(rules.http, warn);
  const patterns = new HostPatterns(hosts);
  for (const rule of rules.tls) checkTlsRule(rule, patterns, warn);
  for (const rule of rules.tcp) checkTcpRule(rule, warn);
}

/** Without hosts a resource is for others to delegate to, which only HTTP rules can do. */
function checkDelegated(spec: FieldReader): void {
  for (const name of ['gateways', 'tls', 'tcp']) {
    if (spec.has(name) && !isEmptyList(spec.raw(name))) {
      spec.report(name, 'must be empty where hosts is empty: others delegate to such a VirtualService, HTTP only');
    }
  }
}

function checkHosts(spec: FieldReader, hosts: readonly string[], isForMesh: boolean): void {
  const patterns = new HostPatterns(hosts);
  const seen = new Set<string>();
  for (const host of hosts) {
    const problem = hostProblem(host) ?? overlap(host, seen, patterns);
    if (problem !== undefined) spec.report('hosts', problem);
    else if (host === '*' && isForMesh) {
      spec.report('hosts', '"*" is for gateways only: in the mesh it would take all traffic. Name the gateways');
    }
    seen.add(host.toLowerCase());
  }
}

function overlap(host: string, seen: ReadonlySet<string>, patterns: HostPatterns): string | undefined {
  if (seen.has(host.toLowerCase())) return `${quoted(host)} is listed twice`;
  const wider = patterns.wider(host);
  return wider === undefined ? undefined : `${quoted(host)} is part of ${quoted(wider)}, which is listed too`;
}

function warnOfUnreachable(rules: readonly FieldReader[], warn: ReportProblem): void {
  const last = rules.findIndex(takesEverything);
  const next = last < 0 ? undefined : rules[last + 1];
  if (next !== undefined) warn(next.path, `is never reached: rule ${last} before it takes every request`);
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}
