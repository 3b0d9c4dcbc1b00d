/**
 * Asking the external authorizers that CUSTOM policies name (facts l7-and-control 3.1, 3.2, 6.6).
 *
 * Invariants:
 * - The outcome of a check is reported once, or never after it was ended; it may be reported before `check` returns.
 * - Who cannot be asked refuses, unless its provider says otherwise: one that is not known, or that has no service, never
 *   lets anything through.
 */
import { badCustomRule, type CustomMatch } from '../../authz/custom-policies.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { HttpUpstreams } from '../http-upstreams.ts';
import { accessDenied, type LocalReply } from '../local-reply.ts';
import type { RouteTarget, RouteTargetDeps } from '../route-target.ts';
import type { CheckedConnection, CheckedRequest } from './checked-request.ts';
import { grpcQuestion, grpcVerdict } from './grpc-check.ts';
import { type HeaderEdits, NO_EDITS } from './header-edits.ts';
import { callProvider } from './provider-call.ts';
import { providerTarget } from './provider-target.ts';
import type { AuthorizationProviders, CompiledProvider } from './providers.ts';
import type { Verdict } from './verdict.ts';

export interface ExternalAuthorizationDeps extends RouteTargetDeps {
  readonly clock: Clock;
  readonly http: HttpUpstreams;
  readonly logger: Logger;
  readonly providers: AuthorizationProviders;
}

export interface Allowed {
  readonly kind: 'allowed';
  readonly request: HeaderEdits;
  readonly response: HeaderEdits;
  /** Whether the changes of the request count for the choice of its route. */
  readonly reroute: boolean;
}

export type CheckOutcome = Allowed | { readonly kind: 'refused'; readonly reply: LocalReply };

/** A provider that can be asked. */
export interface ReadyProvider {
  readonly provider: CompiledProvider;
  readonly target: RouteTarget;
}

export class ExternalAuthorization {
  readonly #deps: ExternalAuthorizationDeps;
  /** By provider, why it could not be asked the last time: each reason is logged once. */
  readonly #failures = new Map<string, string>();

  constructor(deps: ExternalAuthorizationDeps) {
    this.#deps = deps;
  }

  /** Whom to ask; the answer where there is nobody. */
  find({ rule, provider: name }: CustomMatch): ReadyProvider | LocalReply {
    if (name === undefined) return this.#misconfigured(rule, rule, 'the policies that match name different providers');
    const provider = this.#deps.providers.get(name);
    if (provider === undefined) return this.#misconfigured(rule, name, 'MeshConfig has no such extension provider');
    const target = providerTarget({ ...provider.settings, isGrpc: provider.http === undefined }, this.#deps);
    return target.ok ? { provider, target: target.value } : this.#misconfigured(rule, name, target.error);
  }

  /**
   * Asks about a request, or about a connection that is not HTTP.
   * @returns ends the check
   */
  ask(
    { provider, target }: ReadyProvider,
    connection: CheckedConnection,
    request: CheckedRequest | undefined,
    onOutcome: (outcome: CheckOutcome) => void,
  ): () => void {
    const { settings, http } = provider;
    const { clock } = this.#deps;
    const question =
      request !== undefined && http !== undefined
        ? http.question(request)
        : grpcQuestion(
            { ...settings, bodyAsBytes: settings.body?.asBytes ?? false },
            connection,
            request,
            clock.nowMs(),
          );
    const { self, forwarded } = connection;
    const { timeoutMs } = settings;
    return callProvider({ target, question, timeoutMs, self, forwarded }, this.#deps, (answer) => {
      const read = http?.verdict ?? grpcVerdict;
      onOutcome(this.#outcome(provider, answer.ok ? read(answer.value) : { kind: 'error', reason: answer.error }));
    });
  }

  #outcome(
    { settings: { name, failOpen, statusOnError, clearRouteCache } }: CompiledProvider,
    verdict: Verdict,
  ): CheckOutcome {
    if (verdict.kind === 'error') {
      this.#failed(name, verdict.reason);
      const reply: LocalReply = { status: statusOnError, body: '', flag: 'UAEX', details: 'ext_authz_error' };
      if (!failOpen) return { kind: 'refused', reply };
      return { kind: 'allowed', request: NO_EDITS, response: NO_EDITS, reroute: false };
    }
    this.#worked(name);
    if (verdict.kind === 'allow') {
      return { kind: 'allowed', request: verdict.request, response: verdict.response, reroute: clearRouteCache };
    }
    const { status, headers, body } = verdict;
    return { kind: 'refused', reply: { status, body, headers, flag: 'UAEX', details: 'ext_authz_denied' } };
  }

  #misconfigured(rule: string, subject: string, reason: string): LocalReply {
    this.#failed(subject, reason);
    return accessDenied(badCustomRule(rule));
  }

  #failed(provider: string, reason: string): void {
    if (this.#failures.get(provider) === reason) return;
    this.#failures.set(provider, reason);
    this.#deps.logger.warn('an external authorizer cannot be asked', { provider, reason });
  }

  #worked(provider: string): void {
    if (this.#failures.size === 0 || !this.#failures.delete(provider)) return;
    this.#deps.logger.info('an external authorizer answers again', { provider });
  }
}

/** Whether `find` found somebody. */
export function isReady(found: ReadyProvider | LocalReply): found is ReadyProvider {
  return 'provider' in found;
}
