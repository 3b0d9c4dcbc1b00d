/** Headers as they are on the wire: of a tunnel, of a browser, of gRPC. */
import type { Header } from '../../../src/http2/header.ts';

export const TUNNEL: readonly Header[] = [
  [':method', 'CONNECT'],
  [':authority', '10.244.1.17:8080'],
  ['baggage', 'k8s.cluster.name=Kubernetes,k8s.namespace.name=default,k8s.deployment.name=app,service.name=app'],
  ['forwarded', 'for="10.244.0.9:48222";host=app.default.svc.cluster.local'],
  ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00'],
];

export const BROWSER: readonly Header[] = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', 'www.example.com'],
  [':path', '/products/4711/reviews?sort=newest&page=2'],
  ['user-agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'],
  ['accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8'],
  ['accept-language', 'en-GB,en;q=0.7,de;q=0.3'],
  ['accept-encoding', 'gzip, deflate, br, zstd'],
  ['referer', 'https://www.example.com/products/4711'],
  ['cookie', 'session=eyJpZCI6IjQ3MTEifQ.Zx1w3Q.mJ3bY2p0cXJzdHV2d3h5ejAxMjM0NTY3ODk; theme=dark; consent=1'],
  ['sec-fetch-dest', 'document'],
  ['sec-fetch-mode', 'navigate'],
  ['sec-fetch-site', 'same-origin'],
  ['cache-control', 'no-cache'],
];

export const GRPC: readonly Header[] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/shop.v1.CartService/GetCart'],
  [':authority', 'cart.shop.svc.cluster.local:8080'],
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
  ['user-agent', 'grpc-go/1.71.0'],
  ['grpc-timeout', '999987u'],
  ['grpc-accept-encoding', 'gzip'],
  ['x-request-id', '6f1c3a52-93c7-4a4e-8f0e-5a3d5c1e2b10'],
];

export const RESPONSE: readonly Header[] = [
  [':status', '200'],
  ['content-type', 'application/json; charset=utf-8'],
  ['content-length', '1024'],
  ['date', 'Sun, 22 Nov 2026 03:00:00 GMT'],
  ['etag', '"33a64df551425fcc55e4d42a148795d9f25f89d4"'],
  ['cache-control', 'max-age=60, public'],
  ['vary', 'accept-encoding'],
  ['server', 'istio-envoy'],
];
