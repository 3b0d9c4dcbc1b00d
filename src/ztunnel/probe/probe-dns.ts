/** What the DNS proxy of a pod answers: asked of the same code, with the same upstream servers, in the pod's network. */
import { randomInt } from 'node:crypto';
import { parseDnsMessage } from '../../dns/dns-message.ts';
import { nameLabels } from '../../dns/dns-name.ts';
import { CLASS_IN, RCODE, RECORD_TYPE } from '../../dns/record-type.ts';
import { type ProbeStep, stepFailed, stepOk, stepRemark } from '../../model/probe-step.ts';
import type { Workload } from '../../model/workload.ts';
import { DnsForwarder } from '../data/dns-forwarder.ts';
import { DnsMetrics } from '../data/dns-metrics.ts';
import { ResolvConfFile } from '../data/dns-nameservers.ts';
import { createDnsNetwork } from '../data/dns-network.ts';
import { DnsResolver } from '../data/dns-resolver.ts';
import type { PathProbeDeps } from './path-probe-deps.ts';

const RECURSION_DESIRED = 0x0100;

/** @param name as a program of the pod writes it */
export async function probeDns(
  name: string,
  source: Workload,
  netnsFd: number | undefined,
  { config, state, clock, random, logger }: PathProbeDeps,
): Promise<ProbeStep> {
  if (!config.dnsCapture) {
    return stepRemark('dns', `${name} is not asked for: DNS is not captured`, 'the pod asks its own name servers');
  }
  const forwarder = new DnsForwarder({
    network: createDnsNetwork(config, netnsFd, { clock, logger }),
    nameservers: new ResolvConfFile(config.resolvConfPath, { clock, logger }),
    clock,
    randomId: () => randomInt(0x10000),
  });
  const resolver = new DnsResolver(config, {
    state,
    clock,
    logger,
    random,
    metrics: new DnsMetrics(),
    forwarder,
    client: () => source,
    clientBefore: () => undefined,
  });
  try {
    return await resolve(name, searched(name, source.namespace, config.clusterDomain), resolver);
  } finally {
    forwarder.stop();
  }
}

/** The names that a program's resolver asks for, with the search domains of pods. */
function searched(name: string, namespace: string, domain: string): string[] {
  return [name, `${name}.${namespace}.svc.${domain}`, `${name}.svc.${domain}`, `${name}.${domain}`];
}

async function resolve(name: string, candidates: readonly string[], resolver: DnsResolver): Promise<ProbeStep> {
  let refusals = 0;
  for (const candidate of candidates) {
    for (const type of [RECORD_TYPE.A, RECORD_TYPE.AAAA]) {
      const query = encodeQuery(candidate, type);
      if (query === undefined)
        return stepFailed('dns', `"${name}" is no name`, 'names are letters, digits, - and dots');
      const answer = parseDnsMessage((await resolver.handle(query, 'udp')) ?? Buffer.alloc(0));
      if (answer?.rcode === RCODE.SERVFAIL) refusals++;
      const addresses = (answer?.answers ?? [])
        .filter((record) => record.type === type)
        .map(({ data }) => addressText(data));
      if (addresses.length === 0) continue;
      const by = answer?.authoritative ? 'the mesh' : 'the name servers of the cluster';
      return stepOk('dns', `${name} is ${addresses.join(', ')}, answered by ${by}`);
    }
  }
  if (refusals === 0) return stepFailed('dns', `${name}: there is no such name`, NO_NAME);
  return stepFailed('dns', `${name}: the mesh does not know it, and no name server answers`, NO_NAME);
}

const NO_NAME =
  'a Service is NAME in its namespace and NAME.NAMESPACE elsewhere; names outside need a ServiceEntry or DNS';

function encodeQuery(name: string, type: number): Buffer | undefined {
  const labels = nameLabels(name.replace(/\.$/, ''));
  if (labels === undefined) return undefined;
  const header = Buffer.alloc(12);
  header.writeUInt16BE(RECURSION_DESIRED, 2);
  header.writeUInt16BE(1, 4);
  const question = Buffer.from([0, 0, type, 0, CLASS_IN]);
  return Buffer.concat([header, ...labels.flatMap((label) => [Buffer.from([label.length]), label]), question]);
}

function addressText(data: Uint8Array): string {
  if (data.length === 4) return data.join('.');
  const groups = Array.from({ length: 8 }, (_, at) =>
    Buffer.from(data)
      .readUInt16BE(at * 2)
      .toString(16),
  );
  return groups.join(':');
}
