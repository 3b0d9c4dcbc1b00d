/**
 * Whether a request may go on, in phases: the check of an external provider, its token, policies (facts l7-and-control 3.1,
 * 3.3, 6.6).
 *
 * Invariants:
 * - The outcome is reported at most once, and never after `cancel`.
 * - No route is chosen by a header that only a token may write, and no trailer of the client says the same.
 */
import type { TokenRules } from '../authn/jwt-rule.ts';
import type { Claims } from '../authn/read-token.ts';
import type { TokenAuthenticator } from '../authn/token-authenticator.ts';
import { type CustomPolicyMatch, countCustom, matchCustom } from '../authz/custom-policies.ts';
import { countDecision, type RequestPolicies } from '../authz/request-policies.ts';
import type { RequestSubject } from '../authz/request-subject.ts';
import { type ShadowOutcome, shadowOutcome } from '../authz/shadow-policies.ts';
import type { HttpStream } from '../http/http-stream.ts';
import type { DefaultDenials } from '../model/policy-tally.ts';
import { authenticateRequest } from './authenticate-request.ts';
import { checkRequest } from './external-authorization/check-request.ts';
import type { CheckedConnection } from './external-authorization/checked-request.ts';
import type { CheckOutcome, ExternalAuthorization } from './external-authorization/external-authorization.ts';
import { applyEdits, type HeaderEdits } from './external-authorization/header-edits.ts';
import type { UpstreamVersion } from './http-upstreams.ts';
import { accessDenied, type LocalReply } from './local-reply.ts';
import type { RequestBody } from './request-body.ts';
import type { RequestFields } from './request-fields.ts';

/** What admission sees of the connection. */
export interface AdmissionContext extends CheckedConnection {
  readonly spoken: UpstreamVersion;
  readonly subject: Omit<RequestSubject, 'http'>;
  /** What is in force now for tokens; undefined for nothing. */
  tokenRules(): TokenRules | undefined;
  /** The policies in force now. */
  policies(): RequestPolicies;
}

export interface AdmissionDeps {
  readonly tokens: TokenAuthenticator;
  readonly external: ExternalAuthorization;
  readonly defaultDenials: DefaultDenials;
}

/** A request that may go on. */
export interface AdmittedRequest {
  readonly request: RequestFields;
  /** What its route is chosen by. */
  readonly routed: RequestFields;
  /** The request without what the provider changed of it; undefined where it changed nothing. */
  readonly unedited: RequestFields | undefined;
  /** What the provider changes of the response. */
  readonly responseEdits: HeaderEdits | undefined;
  /** Whether policies still let it through. */
  readonly isAllowed: () => boolean;
}

export interface AdmissionEvents {
  onAdmitted(admitted: AdmittedRequest): void;
  onRefused(reply: LocalReply): void;
  /** What policies say that decide nothing. */
  onShadow(shadow: ShadowOutcome): void;
}

export class RequestAdmission {
  readonly #context: AdmissionContext;
  readonly #deps: AdmissionDeps;
  readonly #events: AdmissionEvents;
  #body: RequestBody | undefined;
  #request: RequestFields;
  #routed: RequestFields;
  #unedited: RequestFields | undefined;
  #responseEdits: HeaderEdits | undefined;
  #endCheck: (() => void) | undefined;
  #cancelled = false;

  constructor(request: RequestFields, context: AdmissionContext, deps: AdmissionDeps, events: AdmissionEvents) {
    this.#request = request;
    this.#routed = request;
    this.#context = context;
    this.#deps = deps;
    this.#events = events;
  }

  start(stream: HttpStream, body: RequestBody): void {
    this.#body = body;
    const policies = this.#context.policies();
    const custom = policies.custom.length === 0 ? undefined : matchCustom(policies, this.#subject(undefined));
    if (custom === undefined) return this.#authenticate();
    const asked = { stream, body, fields: this.#request, connection: this.#context };
    this.#endCheck = checkRequest(custom, asked, this.#deps.external, (outcome) => this.#onChecked(custom, outcome));
  }

  /** The client is gone. */
  cancel(): void {
    this.#cancelled = true;
    this.#endCheck?.();
  }

  #onChecked(custom: CustomPolicyMatch, outcome: CheckOutcome): void {
    this.#endCheck = undefined;
    if (this.#cancelled) return;
    countCustom(custom, outcome.kind === 'refused');
    if (outcome.kind === 'refused') return this.#events.onRefused(outcome.reply);
    this.#responseEdits = outcome.response;
    const { edits, remove } = outcome.request;
    this.#body?.reserve([...edits.map(({ name }) => name), ...remove]);
    if (edits.length + remove.length > 0) this.#unedited = this.#request;
    this.#request = this.#request.withHeaders((headers) => applyEdits(headers, outcome.request));
    // Otherwise what was added reaches policies and the endpoint, and not the choice between routes.
    if (outcome.reroute) this.#routed = this.#request;
    this.#authenticate();
  }

  #authenticate(): void {
    const rules = this.#context.tokenRules();
    if (rules === undefined) return this.#authorize(undefined);
    this.#body?.reserve(rules.ownHeaders);
    authenticateRequest(this.#request, rules, this.#deps.tokens, {
      onPassed: (claims) => {
        this.#routed = this.#request;
        this.#authorize(claims);
      },
      onRefused: (reply) => {
        if (!this.#cancelled) this.#events.onRefused(reply);
      },
    });
  }

  #authorize(token: Claims | undefined): void {
    if (this.#cancelled) return;
    const policies = this.#context.policies();
    if (policies.all.length === 0) return this.#admit(token);
    const subject = this.#subject(token);
    const { defaultDenials } = this.#deps;
    const shadow = shadowOutcome(policies, subject, defaultDenials);
    if (shadow !== undefined) this.#events.onShadow(shadow);
    const decision = policies.authorize(subject);
    countDecision(decision, defaultDenials);
    if (!decision.allowed) return this.#events.onRefused(accessDenied(decision.rule));
    this.#admit(token);
  }

  #admit(token: Claims | undefined): void {
    this.#events.onAdmitted({
      request: this.#request,
      routed: this.#routed,
      unedited: this.#unedited,
      responseEdits: this.#responseEdits,
      isAllowed: () => this.#context.policies().authorize(this.#subject(token)).allowed,
    });
  }

  #subject(token: Claims | undefined): RequestSubject {
    const request = this.#request;
    const { authority, method, target } = request;
    const headerValues = (name: string) => request.headerValues(name);
    const http = { authority, method, path: target, headerValues, token };
    return { ...this.#context.subject, http };
  }
}
