/** Peers of the L7 bench as plain proxies between loopback ports. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENVOY } from '../envoy/fetch-envoy.ts';
import type { EnvoyOptions } from './envoy-config.ts';
import { envoyConfig } from './envoy-config.ts';

export type Spoken = 'http1' | 'http2';

/** @param folder for its file @param name of the file, by which its process is found @returns the command */
export function envoy(folder: string, options: EnvoyOptions, name: string): string[] {
  const file = join(folder, `envoy-${name}.json`);
  writeFileSync(file, envoyConfig(options));
  return [ENVOY, '--concurrency', '1', '--disable-hot-restart', '-l', 'off', '-c', file];
}

export function haproxy(folder: string, port: number, endpoint: number, spoken: Spoken): string[] {
  const file = join(folder, `haproxy-${port}.cfg`);
  const protocol = spoken === 'http2' ? ' proto h2' : '';
  const text = `global
  nbthread 1
defaults
  mode http
  http-reuse always
  timeout client 120s
  timeout server 120s
  timeout connect 5s
listen l
  bind 127.0.0.1:${port}${protocol}
  server s 127.0.0.1:${endpoint}${protocol}
`;
  writeFileSync(file, text);
  return ['haproxy', '-db', '-q', '-f', file];
}

/** @param passes `grpc_pass` for gRPC; HTTP/2 ends at nginx otherwise, whose endpoints speak HTTP/1 */
export function nginx(folder: string, port: number, endpoint: number, passes: 'http1' | 'grpc'): string[] {
  const file = join(folder, `nginx-${port}.conf`);
  const location =
    passes === 'grpc'
      ? 'grpc_pass grpc://up;'
      : 'proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection "";';
  const text = `daemon off;
master_process off;
pid ${folder}/nginx-${port}.pid;
error_log /dev/null;
events { worker_connections 4000; }
http {
  access_log off;
  client_body_temp_path ${folder}/nginx-body;
  proxy_temp_path ${folder}/nginx-proxy;
  fastcgi_temp_path ${folder}/nginx-fastcgi;
  uwsgi_temp_path ${folder}/nginx-uwsgi;
  scgi_temp_path ${folder}/nginx-scgi;
  keepalive_requests 100000000;
  client_max_body_size 0;
  upstream up { server 127.0.0.1:${endpoint}; keepalive 64; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port}${passes === 'grpc' ? ' http2' : ''};
    location / { ${location} }
  }
}
`;
  writeFileSync(file, text);
  return ['nginx', '-p', folder, '-c', file];
}
