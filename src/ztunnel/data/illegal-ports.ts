/** The proxy's own ports, to which nothing may be proxied: it would call itself (facts ztunnel-wire 1.1). */
import type { ZtunnelConfig } from '../config.ts';

type Ports = Pick<
  ZtunnelConfig,
  'outboundPort' | 'inboundPlaintextPort' | 'inboundPort' | 'socks5Enabled' | 'socks5Port'
>;

/** Whether the port is one of the proxy's listeners. */
export function isIllegalPort(config: Ports, port: number): boolean {
  return (
    port === config.outboundPort ||
    port === config.inboundPlaintextPort ||
    port === config.inboundPort ||
    (config.socks5Enabled && port === config.socks5Port)
  );
}
