/**
 * Messages that a peer of TLS 1.3 may send behind the handshake (RFC 8446 4.6): tickets, which are not used, and changes
 * of its keys.
 *
 * Invariant: no more than one message is kept, and that one is bounded.
 */
import { AlertCode } from './tls-alert.ts';

const HEADER_BYTES = 4;
const NEW_SESSION_TICKET = 4;
const KEY_UPDATE = 24;
/** Of a ticket: 64 KiB of it, its nonce and its extensions would be more than any server sends. */
const MAX_MESSAGE_BYTES = 16_384;

/** `update`: the peer's keys changed; `answer`: it asks for a change of ours as well. */
export type PostHandshakeEvent =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'update'; readonly answer: boolean }
  | { readonly kind: 'refused'; readonly alert: number };

const NO_BYTES = Buffer.alloc(0);
const NOTHING: PostHandshakeEvent = { kind: 'nothing' };
const REFUSED: PostHandshakeEvent = { kind: 'refused', alert: AlertCode.UNEXPECTED_MESSAGE };

export class PostHandshake {
  #held: Buffer = NO_BYTES;

  /** Whether a message has begun: no other record may come between its parts (RFC 8446 5.1). */
  get isWaiting(): boolean {
    return this.#held.length > 0;
  }

  /** @param content of a handshake record */
  receive(content: Uint8Array): PostHandshakeEvent {
    if (content.length === 0) return REFUSED;
    let bytes = Buffer.concat([this.#held, content]);
    while (bytes.length >= HEADER_BYTES) {
      const length = HEADER_BYTES + bytes.readUIntBE(1, 3);
      const type = bytes[0];
      if (length > MAX_MESSAGE_BYTES || (type !== NEW_SESSION_TICKET && type !== KEY_UPDATE)) return REFUSED;
      if (bytes.length < length) break;
      // It ends its record: what follows has the new keys.
      if (type === KEY_UPDATE) return this.#keyUpdate(bytes, length);
      bytes = bytes.subarray(length);
    }
    this.#held = Buffer.from(bytes);
    return NOTHING;
  }

  #keyUpdate(bytes: Buffer, length: number): PostHandshakeEvent {
    this.#held = NO_BYTES;
    const request = bytes[HEADER_BYTES];
    if (bytes.length !== length || length !== HEADER_BYTES + 1 || request === undefined || request > 1) return REFUSED;
    return { kind: 'update', answer: request === 1 };
  }
}
