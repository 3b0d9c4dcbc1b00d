/** One end of a connection. */
export interface Endpoint {
  /** Canonical text: dotted IPv4, or IPv6 as RFC 5952 writes it; an IPv4-mapped address is the IPv4 address. */
  readonly address: string;
  /** 0..65535 */
  readonly port: number;
}
