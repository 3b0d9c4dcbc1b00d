/** What stands in the place of routes that cannot be used: without them requests would go where nobody sent them. */
import type { HttpRoute } from '../proto/gen/ambit.ts';

const MAX_REASON_CHARACTERS = 200;

/** Answers everything with 503. @param reason as access logs have it, in `route_name` */
export function unusableRoute(reason: string): HttpRoute {
  return {
    name: `unusable routes: ${reason.slice(0, MAX_REASON_CHARACTERS)}`,
    match: undefined,
    action: undefined,
    requestHeaders: undefined,
    responseHeaders: undefined,
    fault: undefined,
    cors: undefined,
  };
}
