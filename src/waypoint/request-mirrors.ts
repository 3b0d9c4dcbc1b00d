/** The copies that a route makes of a request: they go out once the request is whole, whatever becomes of it. */
import type { HttpHeader } from '../http/http-stream.ts';
import type { Workload } from '../model/workload.ts';
import type { ForwardPlan } from '../routing/compile-routes.ts';
import type { UpstreamVersion } from './http-upstreams.ts';
import { type MirrorDeps, mirrorRequest } from './mirror-request.ts';
import type { RequestBody } from './request-body.ts';
import type { RouteTarget } from './route-target.ts';

const MILLION = 1_000_000;

export interface CopiedRequest {
  readonly body: RequestBody;
  readonly self: Workload;
  readonly forwarded: string;
  headersFor(version: UpstreamVersion, mirror: ForwardPlan['mirrors'][number]): readonly HttpHeader[];
  targetOf(mirror: ForwardPlan['mirrors'][number]): RouteTarget | undefined;
}

/** Chooses by each mirror's share. @returns what sends the copies; undefined when there are none */
export function chooseMirrors(
  mirrors: ForwardPlan['mirrors'],
  request: CopiedRequest,
  deps: MirrorDeps & { readonly random: () => number },
): (() => void) | undefined {
  const chosen = mirrors.filter(({ sharePpm }) => deps.random() * MILLION < sharePpm);
  if (chosen.length === 0) return undefined;
  return () => {
    const body = request.body.complete;
    // A body that was too long to keep is not copied.
    if (body === undefined) return;
    const { self, forwarded } = request;
    for (const mirror of chosen) {
      const to = request.targetOf(mirror);
      if (to === undefined) continue;
      void mirrorRequest({ ...to, headers: request.headersFor(to.version, mirror), body, self, forwarded }, deps);
    }
  };
}
