// What single functions cost, of bench/results/micro.json: for docs/benchmarks.md, and for its aims.
import { measured, readResults } from './bench-results.mjs';
import { table } from './markdown.mjs';

const read = () => readResults('micro');

/** What is shown, by file of bench/micro; the results have more. */
const SHOWN = {
  'authz/evaluate': [
    '10,000 policies, 5 for the workload: a principal allows',
    '10,000 policies, 5 for the workload: none matches',
    '10,000 rules for the workload: none matches',
  ],
  'authz/request-policy': [
    '10,000 policies, 4 for the service: a path template allows',
    '10,000 policies, 4 for the service: none matches',
    '10,000 rules for the service: none matches',
  ],
  'routing/compile-routes': [
    '5,000 services with two routes each',
    '5,000 routes, exact paths: the last',
    '5,000 routes, prefixes: the last',
    '5,000 routes, a prefix and a header: the last',
  ],
  'mesh/endpoint-picker': ["of the caller's zone, 5000 endpoints"],
  'balance/make-balancer': [
    'least request, 5000 hosts',
    'round robin, 5000 hosts',
    'random, 5000 hosts',
    'ring hash, 5000 hosts',
    'maglev, 5000 hosts',
  ],
  'http2/hpack': ['encode a browser', 'decode a browser', 'encode gRPC', 'decode gRPC', 'decode gRPC, Huffman'],
  'http2/frames': ['read DATA of 1024 bytes', 'write DATA of 1024 bytes'],
  'http2/tunnel': ['open, 1 KB there and back, close: both ends'],
  'http1/heads': ["read a browser's request", 'write a response'],
  'telemetry/metrics': ['count a request', 'page of 10,000 series of requests'],
  'xds/delta-feed': ['a workload to its bytes', 'response with 1,000 workloads that changed'],
};

function time(ns) {
  if (ns < 1000) return `${ns.toFixed(0)} ns`;
  return ns < 1e6 ? `${(ns / 1000).toFixed(1)} µs` : `${(ns / 1e6).toFixed(1)} ms`;
}

function memory(bytes) {
  return bytes < 10_000 ? `${bytes} B` : `${(bytes / 1e6).toFixed(2)} MB`;
}

const resultsOf = ({ suites }, file) => suites.find(({ subject }) => subject === file).results;

/** The dearest decision with 10,000 policies in the mesh, at either proxy, in the median: microseconds. */
export function policyDecisionUs() {
  const results = read();
  const lines = ['authz/evaluate', 'authz/request-policy']
    .flatMap((file) => resultsOf(results, file))
    .filter(({ name }) => name.startsWith('10,000 policies'));
  return Math.max(...lines.map(({ p50Ns }) => p50Ns)) / 1000;
}

/** One line for each that is shown. */
export function microTable() {
  const results = read();
  const rows = Object.entries(SHOWN).flatMap(([file, names]) =>
    names.map((name) => {
      const found = resultsOf(results, file).find((one) => one.name === name);
      if (found === undefined) throw new Error(`bench/results/micro.json has no "${name}" of ${file}`);
      return [`\`${file}\``, name, time(found.p50Ns), time(found.p99Ns), memory(found.bytes)];
    }),
  );
  return `${measured(results)}\n\n${table(['of src', 'one call', 'median', 'p99', 'allocated'], rows)}`;
}
