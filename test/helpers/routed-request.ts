/** A request for tests of routes. */
import { RegexBudget } from '../../src/routing/regex-budget.ts';
import type { RoutedRequest } from '../../src/routing/routed-request.ts';

export interface RequestParts {
  readonly method?: string;
  readonly scheme?: string;
  readonly authority?: string;
  readonly target?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly claims?: RoutedRequest['claims'];
}

export function requestOf({
  method = 'GET',
  scheme = 'http',
  authority = 'shop',
  target = '/',
  headers = {},
  claims,
}: RequestParts): RoutedRequest {
  const [path = ''] = target.split('?');
  return {
    method,
    scheme,
    authority,
    target,
    path,
    header: (name) => headers[name],
    claims,
    regexBudget: new RegexBudget(),
  };
}
