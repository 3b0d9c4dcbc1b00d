/** The conditions of an HTTP rule of a VirtualService (facts l7-and-control 1.2). */
import type { FieldReader, ReportProblem } from '../manifest/field-reader.ts';
import { checkStringMatch } from './string-match-rules.ts';
import { checkLabels, checkPort, headerNameProblem, isHeaderName } from './value-rules.ts';
import { checkGatewayNames, MESH_GATEWAY } from './visibility-rules.ts';

const CLAIMS = /^@request\.auth\.claims(?:\.|\[)./;

/** @param isForGateway whether the resource is bound to a gateway, so that tokens are looked at before routes */
export function checkHttpMatch(match: FieldReader, isForGateway: boolean, warn: ReportProblem): void {
  checkStringMatch(match.child('uri'), { emptyPrefix: true });
  for (const name of ['scheme', 'method', 'authority']) checkStringMatch(match.child(name));
  const bound = isForGateway || match.strings('gateways').some((name) => name !== MESH_GATEWAY);
  for (const list of ['headers', 'withoutHeaders']) checkHeaderMatches(match.child(list), bound);
  const parameters = match.child('queryParams');
  for (const name of parameters.names()) {
    if (name === '') parameters.report(name, 'the name of a parameter must not be empty');
    checkStringMatch(parameters.child(name), { presence: true });
  }
  checkPort(match, 'port');
  checkLabels(match.child('sourceLabels'));
  checkGatewayNames(match, warn);
  if (match.has('sourceLabels')) {
    warn([...match.path, 'sourceLabels'], 'waypoints pass over conditions on the labels of clients');
  }
  if (match.raw('ignoreUriCase') === true && match.child('uri').has('regex')) {
    warn([...match.path, 'ignoreUriCase'], 'has no effect on a regex: start that with (?i)');
  }
}

function checkHeaderMatches(headers: FieldReader, isForGateway: boolean): void {
  for (const name of headers.names()) {
    const problem = nameProblem(name, isForGateway);
    if (problem !== undefined) headers.report(name, problem);
    checkStringMatch(headers.child(name), { presence: true });
  }
}

function nameProblem(name: string, isForGateway: boolean): string | undefined {
  if (CLAIMS.test(name)) {
    return isForGateway ? undefined : 'claims of tokens are matched only where the resource names a gateway';
  }
  if (name.startsWith(':') && isHeaderName(name.slice(1))) return undefined;
  return headerNameProblem(name);
}
