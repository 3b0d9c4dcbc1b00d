/** The conditions of an HTTP rule of a VirtualService (facts l7-and-control 1.2). */
import { claimPath, isClaimKey } from '../claim-path.ts';
import type { FieldReader, ReportProblem } from '../manifest/field-reader.ts';
import { checkStringMatch } from './string-match-rules.ts';
import { checkLabels, checkPort, headerNameProblem, isHeaderName } from './value-rules.ts';
import { checkGatewayNames } from './visibility-rules.ts';

/** Unlike Istio's, waypoints look at tokens before routes, as its gateways do. */
export function checkHttpMatch(match: FieldReader, warn: ReportProblem): void {
  checkStringMatch(match.child('uri'), { emptyPrefix: true });
  for (const name of ['scheme', 'method', 'authority']) checkStringMatch(match.child(name));
  for (const list of ['headers', 'withoutHeaders']) checkHeaderMatches(match.child(list));
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

function checkHeaderMatches(headers: FieldReader): void {
  for (const name of headers.names()) {
    const problem = nameProblem(name);
    if (problem !== undefined) headers.report(name, problem);
    checkStringMatch(headers.child(name), { presence: true });
  }
}

function nameProblem(name: string): string | undefined {
  if (isClaimKey(name)) {
    return claimPath(name) === undefined ? 'must be @request.auth.claims.a.b or @request.auth.claims[a][b]' : undefined;
  }
  if (name.startsWith(':') && isHeaderName(name.slice(1))) return undefined;
  return headerNameProblem(name);
}
