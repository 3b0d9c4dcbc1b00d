/** Credential plugins of a kubeconfig: a program prints a token or a certificate (client.authentication.k8s.io/v1). */
import { execFile } from 'node:child_process';
import type { Clock } from '../base/clock.ts';
import type { Environment } from '../base/environment.ts';
import { isRecord } from '../model/manifest/field-reader.ts';
import type { KubeCredentials } from './kube-config.ts';
import { KubeError } from './kube-error.ts';

export interface ExecPlugin {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Environment;
  readonly apiVersion: string;
  /** What to tell the user when the program is missing. */
  readonly installHint: string;
}

const TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 1024 * 1024;
/** Renewed so long before it ends. */
const MARGIN_MS = 10_000;

/** Runs the program when there is no credential, or the last one ends soon. */
export function execCredentials(
  plugin: ExecPlugin,
  deps: { readonly clock: Clock; readonly environment: Environment },
): () => Promise<KubeCredentials> {
  let cached: { readonly credentials: KubeCredentials; readonly endMs: number } | undefined;
  let running: Promise<KubeCredentials> | undefined;
  const renew = async () => {
    cached = readCredential(plugin, await runPlugin(plugin, deps.environment));
    return cached.credentials;
  };
  return () => {
    if (cached !== undefined && deps.clock.nowMs() < cached.endMs - MARGIN_MS) {
      return Promise.resolve(cached.credentials);
    }
    running ??= renew().finally(() => {
      running = undefined;
    });
    return running;
  };
}

function runPlugin(plugin: ExecPlugin, environment: Environment): Promise<string> {
  const info = { apiVersion: plugin.apiVersion, kind: 'ExecCredential', spec: { interactive: false } };
  const env = { ...environment, ...plugin.env, KUBERNETES_EXEC_INFO: JSON.stringify(info) };
  const options = { env, timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES, encoding: 'utf8' as const };
  return new Promise((resolve, reject) => {
    execFile(plugin.command, [...plugin.args], options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const missing = 'code' in error && error.code === 'ENOENT';
      const why = missing ? `it is not installed. ${plugin.installHint}` : stderr.trim().slice(0, 500) || error.message;
      reject(configError(plugin, why));
    });
  });
}

function readCredential(plugin: ExecPlugin, output: string): { credentials: KubeCredentials; endMs: number } {
  let answer: unknown;
  try {
    answer = JSON.parse(output);
  } catch {
    throw configError(plugin, 'it printed no JSON');
  }
  const status = isRecord(answer) ? answer['status'] : undefined;
  if (!isRecord(status)) throw configError(plugin, 'it printed no ExecCredential with a status');
  const { token, clientCertificateData, clientKeyData, expirationTimestamp } = status;
  const endMs = typeof expirationTimestamp === 'string' ? Date.parse(expirationTimestamp) : Number.NaN;
  const credentials = {
    ...(typeof token === 'string' ? { token } : {}),
    ...(typeof clientCertificateData === 'string' ? { certPem: clientCertificateData } : {}),
    ...(typeof clientKeyData === 'string' ? { keyPem: clientKeyData } : {}),
  };
  if (Object.keys(credentials).length === 0) throw configError(plugin, 'it printed neither token nor certificate');
  return { credentials, endMs: Number.isNaN(endMs) ? Number.POSITIVE_INFINITY : endMs };
}

function configError(plugin: ExecPlugin, why: string): KubeError {
  return new KubeError('KUBE_CONFIG', `the credential plugin ${plugin.command} of the kubeconfig failed: ${why}`);
}
