import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { systemClock } from '../../../src/base/clock.ts';
import type { Result } from '../../../src/base/result.ts';
import type { ProxyError } from '../../../src/hbone/proxy-error.ts';
import { type ClientTls, TlsMode } from '../../../src/proto/gen/ambit.ts';
import { originateTls, wantsTls } from '../../../src/waypoint/originate-tls.ts';
import { TlsMaterial, type TlsTexts } from '../../../src/waypoint/tls-material.ts';
import { createTestCa } from '../../helpers/test-ca.ts';
import { createSignedCrlPem } from '../../helpers/test-crl.ts';

const ca = createTestCa();
const leaf = ca.leaf({ uris: [], dnsNames: ['api.example.com'] });
const SIMPLE: ClientTls = {
  mode: TlsMode.SIMPLE,
  sni: '',
  subjectAltNames: [],
  insecureSkipVerify: false,
  credential: '',
  files: undefined,
};
const TRUSTING: TlsTexts = { own: undefined, ca: ca.rootPem, crl: undefined };

describe('TLS towards an endpoint', () => {
  let server: Server;
  let names: unknown[] = [];

  before(async () => {
    server = createServer({
      key: leaf.keyPem,
      cert: leaf.certPem,
      requestCert: true,
      rejectUnauthorized: false,
      ca: ca.rootPem,
    });
    server.on('tlsClientError', () => undefined);
    server.on('secureConnection', (socket) => {
      names.push(socket.servername);
      socket.on('error', () => undefined);
      socket.end(socket.authorized ? 'known' : 'unknown');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  after(() => server.close());

  async function originate(tls: ClientTls, host: string, texts: TlsTexts): Promise<Result<TLSSocket, ProxyError>> {
    const material = new TlsMaterial(texts);
    names = [];
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    return new Promise((resolve) => {
      originateTls(socket, { tls, material, host, alpn: [], timeoutMs: 5000 }, systemClock, resolve);
    });
  }

  /** What the server says, or why the handshake failed. */
  async function outcome(tls: ClientTls, host = 'api.example.com', texts = TRUSTING): Promise<string> {
    const result = await originate(tls, host, texts);
    if (!result.ok) return result.error.message;
    let text = '';
    for await (const chunk of result.value) text += chunk;
    result.value.destroy();
    return text;
  }

  it('names the service, and trusts a certificate for it', async () => {
    assert.equal(await outcome(SIMPLE), 'unknown');
    assert.deepEqual(names, ['api.example.com']);
  });

  it('refuses a certificate for somebody else', async () => {
    assert.match(await outcome(SIMPLE, 'other.example.com'), /tls error: .*other\.example\.com/);
  });

  it('asks for the name of the policy', async () => {
    assert.equal(await outcome({ ...SIMPLE, sni: 'api.example.com' }, 'other.example.com'), 'unknown');
  });

  it('takes the names of the policy in place of the host', async () => {
    const named = (...subjectAltNames: string[]) => outcome({ ...SIMPLE, subjectAltNames }, 'other.example.com');
    assert.equal(await named('x', 'api.example.com'), 'unknown');
    assert.match(await named('x'), /is for api\.example\.com, not for x/);
  });

  it('refuses an authority that is not trusted, unless nothing is to be checked', async () => {
    const stranger = { ...TRUSTING, ca: createTestCa().rootPem };
    assert.match(await outcome(SIMPLE, undefined, stranger), /^tls error/);
    assert.equal(await outcome({ ...SIMPLE, insecureSkipVerify: true }, undefined, stranger), 'unknown');
  });

  it('shows a certificate with MUTUAL', async () => {
    const { certPem: certificate, keyPem: key } = ca.leaf();
    const mutual = { ...SIMPLE, mode: TlsMode.MUTUAL };
    assert.equal(await outcome(mutual, undefined, { ...TRUSTING, own: { certificate, key } }), 'known');
  });

  it('refuses a certificate that its authority took back', async () => {
    const serial = BigInt(`0x${new X509Certificate(leaf.certPem).serialNumber}`).toString();
    const crl = (...serials: string[]) => ({ ...TRUSTING, crl: createSignedCrlPem(ca, serials) });
    assert.equal(await outcome(SIMPLE, undefined, crl()), 'unknown');
    assert.match(await outcome(SIMPLE, undefined, crl(serial)), /^tls error: .*revoked/);
  });

  it('fails on what is no certificate', async () => {
    const broken = { ...TRUSTING, own: { certificate: 'x', key: 'y' } };
    assert.match(await outcome({ ...SIMPLE, mode: TlsMode.MUTUAL }, undefined, broken), /^tls error/);
  });
});

it('the TLS of the mesh needs none of the waypoint', () => {
  assert.equal(wantsTls(undefined), false);
  assert.equal(wantsTls({ ...SIMPLE, mode: TlsMode.DISABLE }), false);
  assert.equal(wantsTls(SIMPLE), true);
});
