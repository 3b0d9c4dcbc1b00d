/**
 * The spec of a VirtualService as it is written, once its schema (`virtual-service-kind.ts`) and rules have accepted it:
 * what each field means is said by those who build routes of it.
 */

export interface VirtualServiceSpec {
  readonly hosts?: readonly string[];
  readonly gateways?: readonly string[];
  readonly http?: readonly HttpRuleSpec[];
  readonly tls?: readonly TlsRuleSpec[];
  readonly tcp?: readonly TcpRuleSpec[];
  readonly exportTo?: readonly string[];
}

export interface HttpRuleSpec {
  readonly name?: string;
  readonly match?: readonly HttpMatchSpec[];
  readonly route?: readonly RouteSpec[];
  readonly redirect?: RedirectSpec;
  readonly directResponse?: DirectResponseSpec;
  readonly delegate?: DelegateSpec;
  readonly rewrite?: RewriteSpec;
  /** Times are texts as `1m30s`. */
  readonly timeout?: string;
  readonly retries?: RetriesSpec;
  readonly fault?: FaultSpec;
  readonly mirror?: DestinationSpec;
  readonly mirrorPercent?: number;
  readonly mirrorPercentage?: PercentSpec;
  readonly mirrors?: readonly MirrorSpec[];
  readonly corsPolicy?: CorsSpec;
  readonly headers?: HeadersSpec;
}

/** One at most is given. */
export interface StringMatchSpec {
  readonly exact?: string;
  readonly prefix?: string;
  readonly regex?: string;
}

export type StringMatchesSpec = Readonly<Record<string, StringMatchSpec>>;

/** What decides before there is a request: where the proxy is and who is connected to it. */
export interface SourceMatchSpec {
  readonly port?: number;
  readonly sourceLabels?: Readonly<Record<string, string>>;
  readonly sourceNamespace?: string;
  readonly gateways?: readonly string[];
}

export interface HttpMatchSpec extends SourceMatchSpec {
  readonly name?: string;
  readonly uri?: StringMatchSpec;
  readonly scheme?: StringMatchSpec;
  readonly method?: StringMatchSpec;
  readonly authority?: StringMatchSpec;
  readonly headers?: StringMatchesSpec;
  readonly withoutHeaders?: StringMatchesSpec;
  readonly queryParams?: StringMatchesSpec;
  readonly ignoreUriCase?: boolean;
  readonly statPrefix?: string;
}

export interface DestinationSpec {
  readonly host: string;
  readonly subset?: string;
  readonly port?: { readonly number?: number };
}

export interface RouteSpec {
  readonly destination: DestinationSpec;
  readonly weight?: number;
  readonly headers?: HeadersSpec;
}

export interface MirrorSpec {
  readonly destination: DestinationSpec;
  readonly percentage?: PercentSpec;
}

export interface PercentSpec {
  readonly value?: number;
}

export interface HeadersSpec {
  readonly request?: HeaderChangesSpec;
  readonly response?: HeaderChangesSpec;
}

export interface HeaderChangesSpec {
  readonly set?: Readonly<Record<string, string>>;
  readonly add?: Readonly<Record<string, string>>;
  readonly remove?: readonly string[];
}

export interface RedirectSpec {
  readonly uri?: string;
  readonly prefixRewrite?: string;
  readonly authority?: string;
  readonly scheme?: string;
  readonly port?: number;
  readonly derivePort?: 'FROM_PROTOCOL_DEFAULT' | 'FROM_REQUEST_PORT';
  readonly redirectCode?: number;
}

export interface DirectResponseSpec {
  readonly status: number;
  readonly body?: { readonly string?: string; readonly bytes?: string };
}

export interface DelegateSpec {
  readonly name?: string;
  readonly namespace?: string;
}

export interface RewriteSpec {
  readonly uri?: string;
  readonly authority?: string;
  readonly uriRegexRewrite?: { readonly match?: string; readonly rewrite?: string };
}

export interface RetriesSpec {
  readonly attempts?: number;
  readonly perTryTimeout?: string;
  readonly retryOn?: string;
  readonly retryRemoteLocalities?: boolean;
  readonly retryIgnorePreviousHosts?: boolean;
  readonly backoff?: string;
}

export interface FaultSpec {
  readonly delay?: { readonly percentage?: PercentSpec; readonly percent?: number; readonly fixedDelay?: string };
  readonly abort?: { readonly percentage?: PercentSpec; readonly httpStatus?: number; readonly grpcStatus?: string };
}

export interface CorsSpec {
  readonly allowOrigin?: readonly string[];
  readonly allowOrigins?: readonly StringMatchSpec[];
  readonly allowMethods?: readonly string[];
  readonly allowHeaders?: readonly string[];
  readonly exposeHeaders?: readonly string[];
  readonly maxAge?: string;
  readonly allowCredentials?: boolean;
  readonly unmatchedPreflights?: 'UNSPECIFIED' | 'FORWARD' | 'IGNORE';
}

export interface L4MatchSpec extends SourceMatchSpec {
  readonly destinationSubnets?: readonly string[];
  readonly sourceSubnet?: string;
}

export interface TlsMatchSpec extends L4MatchSpec {
  readonly sniHosts: readonly string[];
}

export interface TlsRuleSpec {
  readonly match: readonly TlsMatchSpec[];
  readonly route?: readonly RouteSpec[];
}

export interface TcpRuleSpec {
  readonly match?: readonly L4MatchSpec[];
  readonly route?: readonly RouteSpec[];
}
