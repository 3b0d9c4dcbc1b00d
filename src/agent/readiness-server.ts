/** The agent's probes: `/healthz` while the process answers, `/readyz` once pods can be added (facts ztunnel-wire 1.1). */
import { createServer, type Server } from 'node:http';
import type { Endpoint } from '../native/endpoint.ts';
import { fromListenError } from '../net/from-node-error.ts';

/**
 * Listens for probes.
 * @throws AmbitError LISTEN_*
 */
export function listenReadiness(endpoint: Endpoint, isReady: () => boolean): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url === '/healthz') response.writeHead(200).end('ok\n');
    else if (request.url === '/readyz')
      response.writeHead(isReady() ? 200 : 503).end(isReady() ? 'ready\n' : 'not ready\n');
    else response.writeHead(404).end();
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(fromListenError(error, endpoint)));
    server.listen({ host: endpoint.address, port: endpoint.port }, () => resolve(server));
  });
}
