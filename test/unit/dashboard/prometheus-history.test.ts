import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { AmbitError } from '../../../src/base/errors.ts';
import { PrometheusHistory, questionsOf } from '../../../src/dashboard/prometheus-history.ts';

const SUBJECT = { kind: 'service', namespace: 'shop', name: 'cart', revision: 'v2' } as const;

describe('a history from Prometheus', () => {
  const asked: URLSearchParams[] = [];
  let status = 'success';
  let server: Server;
  let base = '';
  const logged: string[] = [];
  const log = (line: string) => void logged.push(line);
  let authorization: string | undefined;

  before(async () => {
    server = createServer((request, response) => {
      const { searchParams } = new URL(request.url ?? '', 'http://localhost');
      asked.push(searchParams);
      authorization = request.headers.authorization;
      const isQuantile = searchParams.get('query')?.startsWith('histogram_quantile') === true;
      const values = [
        [600, isQuantile ? 'NaN' : '2'],
        [660, '4'],
      ];
      response.end(JSON.stringify({ status, error: 'no', data: { result: [{ metric: {}, values }] } }));
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  after(() => void server.close());

  it('puts the answers to all questions together by time; a time without requests has no latency', async () => {
    const { source, points } = await new PrometheusHistory(base, log).series(SUBJECT, 21_600_000, 1_000_000_000);
    assert.equal(source, 'prometheus');
    assert.deepEqual(
      points.map(({ atMs, requestsPerSec, p99Ms }) => [atMs, requestsPerSec, p99Ms]),
      [
        [600_000, 2, undefined],
        [660_000, 4, 4],
      ],
    );
    const [first] = asked;
    assert.equal(Number(first?.get('end')) - Number(first?.get('start')), 21_600);
    assert.equal(first?.get('step'), '90', 'six hours in 240 points');
  });

  it('says that there is no answer', async () => {
    status = 'error';
    await assert.rejects(
      new PrometheusHistory(base, log).series(SUBJECT, 3_600_000, 0),
      (error: AmbitError<string>) => error instanceof AmbitError && error.code === 'PROMETHEUS_UNREACHABLE',
    );
  });

  it('keeps its address and password, and what it says, from viewers; its operator reads why, without the password', async () => {
    const secret = base.replace('http://', 'http://reader:s%23cret@');
    logged.length = 0;
    await assert.rejects(new PrometheusHistory(secret, log).series(SUBJECT, 3_600_000, 0), ({ message }: Error) => {
      assert.doesNotMatch(message, /127|cret|reader/);
      return /PROMETHEUS_UNREACHABLE/.test(message);
    });
    assert.equal(authorization, `Basic ${Buffer.from('reader:s#cret').toString('base64')}`);
    assert.match(logged[0] ?? '', /^Prometheus at http:\/\/127\.0\.0\.1:\d+ does not answer: no; /);
    assert.doesNotMatch(logged.join(), /cret|reader/);
    assert.equal(logged.length, 1, 'six questions, one line');
    status = 'success';
    await new PrometheusHistory(secret, log).series(SUBJECT, 3_600_000, 0);
  });

  it('refuses an address that is none, without saying it', () => {
    for (const address of ['reader:s3cret@prometheus', 'http://reader:s3cret@', 'prometheus:9090'])
      assert.throws(
        () => new PrometheusHistory(address, log),
        ({ message }: Error) => !message.includes('s3cret') && message.includes('--prometheus'),
        address,
      );
  });

  it('asks for the subject, whatever its name holds', () => {
    const { requestsPerSec } = questionsOf({ ...SUBJECT, name: 'a"} or up{b="' }, 120);
    assert.match(requestsPerSec, /destination_service_name="a\\"} or up\{b=\\""/);
    assert.match(requestsPerSec, /destination_canonical_revision="v2"/);
    assert.match(requestsPerSec, /\[120s\]/);
  });
});
