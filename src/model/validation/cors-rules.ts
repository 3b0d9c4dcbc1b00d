/** The CORS policy of an HTTP rule (facts l7-and-control 1.2). */
import type { FieldReader, ReportProblem } from '../manifest/field-reader.ts';
import { checkStringMatch } from './string-match-rules.ts';
import { durationMs, headerNameProblem, quoted } from './value-rules.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', '*'];

export function checkCors(cors: FieldReader, warn: ReportProblem): void {
  for (const origin of cors.children('allowOrigins')) checkStringMatch(origin);
  if (cors.has('allowOrigin')) warn([...cors.path, 'allowOrigin'], 'is deprecated: use allowOrigins');
  for (const method of cors.strings('allowMethods')) {
    if (!METHODS.includes(method)) cors.report('allowMethods', `${quoted(method)} is none of ${METHODS.join(', ')}`);
  }
  for (const list of ['allowHeaders', 'exposeHeaders']) {
    for (const name of cors.strings(list)) {
      const problem = headerNameProblem(name);
      if (problem !== undefined) cors.report(list, problem);
    }
  }
  const maxAge = durationMs(cors, 'maxAge');
  if (maxAge !== undefined && maxAge % 1000 !== 0) cors.report('maxAge', 'must be whole seconds');
}
