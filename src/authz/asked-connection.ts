/** A connection in the forms that rules compare: what several of them derive from it is made once, when the first one asks. */
import { type IpAddress, ipToBytes } from '../model/address.ts';
import { type Identity, principalOf, spiffeId } from '../model/spiffe.ts';
import type { Caller } from './caller-index.ts';

/** What every policy can see of a connection. */
export interface ConnectionFacts {
  /** The peer's verified identity; undefined for plaintext. */
  readonly identity: Identity | undefined;
  /** The direct peer. */
  readonly sourceIp: IpAddress;
  /** Undefined when the connection was addressed by name. */
  readonly destinationIp: IpAddress | undefined;
  readonly destinationPort: number;
}

export class AskedConnection<Facts extends ConnectionFacts = ConnectionFacts> implements Caller {
  readonly subject: Facts;
  readonly identity: Identity | undefined;
  #principal: string | undefined;
  #sourceIp: Uint8Array | undefined;
  #destinationIp: Uint8Array | undefined;

  constructor(subject: Facts) {
    this.subject = subject;
    this.identity = subject.identity;
  }

  /** Undefined for a caller without identity. */
  get principal(): string | undefined {
    if (this.identity !== undefined) this.#principal ??= principalOf(spiffeId(this.identity));
    return this.#principal;
  }

  /** As bytes, as all addresses here are. */
  get sourceIp(): Uint8Array {
    this.#sourceIp ??= ipToBytes(this.subject.sourceIp);
    return this.#sourceIp;
  }

  /** Undefined when the connection was addressed by name. */
  get destinationIp(): Uint8Array | undefined {
    const { destinationIp } = this.subject;
    if (destinationIp !== undefined) this.#destinationIp ??= ipToBytes(destinationIp);
    return this.#destinationIp;
  }
}
