/** How a request to the API server proves who it is from, and checks whom it talks to. */
import type { KubeConfig, KubeCredentials } from './kube-config.ts';

export function loginHeaders({ token, basic }: KubeCredentials): Record<string, string> {
  const password = basic === undefined ? undefined : Buffer.from(`${basic.user}:${basic.password}`).toString('base64');
  return {
    'user-agent': 'ambit',
    ...(token !== undefined && token !== '' ? { authorization: `Bearer ${token}` } : {}),
    ...(password === undefined ? {} : { authorization: `Basic ${password}` }),
  };
}

/** Options of node:tls. */
export function loginTls({ caPem, serverName, skipVerify }: KubeConfig, { certPem, keyPem }: KubeCredentials) {
  return {
    ...(caPem === undefined ? {} : { ca: caPem }),
    ...(serverName === undefined ? {} : { servername: serverName }),
    ...(skipVerify === true ? { rejectUnauthorized: false } : {}),
    ...(certPem === undefined ? {} : { cert: certPem }),
    ...(keyPem === undefined ? {} : { key: keyPem }),
  };
}
