/** The `tls` and `tcp` rules of a VirtualService (facts l7-and-control 1.3). */
import { parseCidr } from '../address.ts';
import type { FieldReader, ReportProblem } from '../manifest/field-reader.ts';
import { checkWeightedRoutes } from './destination-rules.ts';
import { type HostPatterns, hostProblem } from './host-rules.ts';
import { checkLabels, checkPort, quoted } from './value-rules.ts';
import { checkGatewayNames } from './visibility-rules.ts';

/** @param hosts of the whole resource, of which the names in TLS have to be a part */
export function checkTlsRule(rule: FieldReader, hosts: HostPatterns, warn: ReportProblem): void {
  const matches = rule.children('match');
  if (rule.has('match') && matches.length === 0) rule.report('match', 'needs at least one entry, with sniHosts');
  for (const match of matches) {
    checkL4Match(match, warn);
    const names = match.strings('sniHosts');
    if (match.has('sniHosts') && names.length === 0) match.report('sniHosts', 'needs at least one name');
    for (const name of names) {
      const problem = hostProblem(name) ?? (hosts.covers(name) ? undefined : `${quoted(name)} is in none of the hosts`);
      if (problem !== undefined) match.report('sniHosts', problem);
    }
  }
  checkRoutes(rule);
}

export function checkTcpRule(rule: FieldReader, warn: ReportProblem): void {
  for (const match of rule.children('match')) {
    checkL4Match(match, warn);
    const subnet = match.string('sourceSubnet') ?? '';
    if (subnet !== '') checkSubnets(match, 'sourceSubnet', [subnet]);
  }
  checkRoutes(rule);
}

function checkL4Match(match: FieldReader, warn: ReportProblem): void {
  checkSubnets(match, 'destinationSubnets', match.strings('destinationSubnets'));
  checkPort(match, 'port');
  checkLabels(match.child('sourceLabels'));
  checkGatewayNames(match, warn);
}

function checkSubnets(match: FieldReader, name: string, subnets: readonly string[]): void {
  for (const subnet of subnets) {
    if (parseCidr(subnet) === undefined) match.report(name, `${quoted(subnet)} is not an IP address or CIDR block`);
  }
}

function checkRoutes(rule: FieldReader): void {
  if (checkWeightedRoutes(rule).length === 0) rule.report('route', 'needs at least one destination');
}
