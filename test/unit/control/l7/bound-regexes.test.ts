import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { boundRegexes } from '../../../../src/control/l7/bound-regexes.ts';
import type { HttpRoute, StringMatch } from '../../../../src/proto/gen/ambit.ts';
import { CompiledRoutes } from '../../../../src/routing/compile-routes.ts';

function matching(text: string): StringMatch {
  return { kind: { $case: 'regex', regex: text }, ignoreCase: false };
}

/** A route with the same text as a regular expression of its path and of a header. */
function route(text: string): HttpRoute {
  const match = {
    path: matching(text),
    method: undefined,
    scheme: undefined,
    authority: undefined,
    headers: [{ name: 'x-path', value: matching(text), invert: false }],
    query: [],
    claims: [],
  };
  const nothing = { action: undefined, requestHeaders: undefined, responseHeaders: undefined };
  return { name: text, match, ...nothing, fault: undefined, cors: undefined };
}

describe('the bound of regular expressions', () => {
  it('is that of waypoints, where a path and a header of the same text are two once escapes are spelt alike', () => {
    const http = Array.from({ length: 600 }, (_, index) => route(`/%2f${index}`));
    const port = { port: 80, http, tcp: [], hasHttp: true, hasTcp: false, grpcWeb: false, clientNamespace: '' };
    const bound = boundRegexes([port]);
    assert.deepEqual([bound[0]?.http.length, bound[0]?.http.at(-1)?.name], [501, 'too-many-regular-expressions']);
    assert.doesNotThrow(() => new CompiledRoutes({ ports: [...bound], session: undefined }));
  });
});
