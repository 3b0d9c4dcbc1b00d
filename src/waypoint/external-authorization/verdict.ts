/** What an external authorizer said, whatever it speaks. */
import type { HttpHeader } from '../../http/http-stream.ts';
import type { HeaderEdits } from './header-edits.ts';

export type Verdict =
  | { readonly kind: 'allow'; readonly request: HeaderEdits; readonly response: HeaderEdits }
  | {
      readonly kind: 'deny';
      readonly status: number;
      readonly headers: readonly HttpHeader[];
      readonly body: string | Uint8Array;
    }
  /** It did not say. */
  | { readonly kind: 'error'; readonly reason: string };

/** A whole answer to one request. */
export interface ProviderAnswer {
  readonly status: number;
  readonly headers: readonly HttpHeader[];
  readonly trailers: readonly HttpHeader[];
  readonly body: Buffer;
}

/** What is sent to ask. */
export interface ProviderQuestion {
  readonly headers: readonly HttpHeader[];
  readonly body: Buffer;
}
