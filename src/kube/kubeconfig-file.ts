/** Where the API server is and how to log in: from a kubeconfig file, for people and for programs outside the cluster. */
import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { parse } from 'yaml';
import { type Clock, systemClock } from '../base/clock.ts';
import type { Environment } from '../base/environment.ts';
import { errorText } from '../base/errors.ts';
import { isRecord } from '../model/manifest/field-reader.ts';
import { type ExecPlugin, execCredentials } from './exec-credential.ts';
import type { KubeConfig, KubeCredentials } from './kube-config.ts';
import { KubeError } from './kube-error.ts';

export interface KubeconfigOptions {
  /** Default: the file's current context. */
  readonly context?: string;
  /** For credential plugins: what they inherit. Default nothing but PATH and HOME of their own lookup. */
  readonly environment?: Environment;
  readonly clock?: Clock;
}

/** A file with none of them is something else. */
const MAIN_FIELDS = ['current-context', 'contexts', 'clusters', 'users'];

type Fields = Readonly<Record<string, unknown>>;

/** Reads a kubeconfig. Rejects with KUBE_CONFIG that says what is missing. */
export async function kubeconfigFile(path: string, options: KubeconfigOptions = {}): Promise<KubeConfig> {
  const root = await readRoot(path);
  const contextName = options.context ?? text(root, 'current-context');
  if (contextName === '') throw problem(path, `it has no current-context: say --context, it has ${contextsOf(root)}`);
  const context = entry(path, root, 'context', contextName);
  const cluster = entry(path, root, 'cluster', text(context, 'cluster'));
  const user = text(context, 'user') === '' ? {} : entry(path, root, 'user', text(context, 'user'));
  const server = text(cluster, 'server');
  if (!URL.canParse(server)) throw problem(path, `the server "${server}" of context ${contextName} is no URL`);
  const serverName = text(cluster, 'tls-server-name');
  return {
    server,
    caPem: await dataOrFile(path, cluster, 'certificate-authority'),
    ...(serverName === '' ? {} : { serverName }),
    ...(cluster['insecure-skip-tls-verify'] === true ? { skipVerify: true } : {}),
    namespace: text(context, 'namespace') || 'default',
    credentials: await credentialsOf(path, user, options),
  };
}

async function readRoot(path: string): Promise<Fields> {
  let content: string;
  try {
    content = await readFile(path, 'utf8');
  } catch (error) {
    throw problem(path, `it cannot be read (${errorText(error)})`);
  }
  try {
    const root: unknown = parse(content, { logLevel: 'error' });
    if (isRecord(root) && MAIN_FIELDS.some((field) => field in root)) return root;
  } catch (error) {
    // Further lines quote the file, which may hold credentials.
    throw problem(path, `it is not a kubeconfig: it is no YAML (${errorText(error).split('\n', 1)[0]})`);
  }
  throw problem(path, `it is not a kubeconfig: it has none of ${MAIN_FIELDS.join(', ')}`);
}

/** An entry of one of the named lists (`contexts`, `clusters`, `users`). */
function entry(path: string, root: Fields, kind: 'context' | 'cluster' | 'user', name: string): Fields {
  const list: unknown = root[`${kind}s`];
  for (const item of Array.isArray(list) ? (list as readonly unknown[]) : []) {
    if (isRecord(item) && item['name'] === name && isRecord(item[kind])) return item[kind];
  }
  const others = kind === 'context' ? `; it has ${contextsOf(root)}` : '';
  throw problem(path, `it has no ${kind} "${name}"${others}`);
}

/** For people. */
function contextsOf(root: Fields): string {
  const list: unknown = root['contexts'];
  const names = (Array.isArray(list) ? (list as readonly unknown[]) : []).flatMap((item) =>
    isRecord(item) && typeof item['name'] === 'string' ? [item['name']] : [],
  );
  return names.length === 0 ? 'none' : names.join(', ');
}

async function credentialsOf(
  path: string,
  user: Fields,
  options: KubeconfigOptions,
): Promise<() => Promise<KubeCredentials>> {
  const certPem = await dataOrFile(path, user, 'client-certificate');
  const keyPem = await dataOrFile(path, user, 'client-key');
  const certificate = certPem === undefined || keyPem === undefined ? {} : { certPem, keyPem };
  if (isRecord(user['exec'])) {
    const deps = { clock: options.clock ?? systemClock, environment: options.environment ?? {} };
    const run = execCredentials(readPlugin(path, user['exec']), deps);
    return async () => ({ ...certificate, ...(await run()) });
  }
  const tokenFile = text(user, 'tokenFile');
  if (tokenFile !== '') {
    const file = besides(path, tokenFile);
    return async () => ({ ...certificate, token: (await readFile(file, 'utf8')).trim() });
  }
  const token = text(user, 'token') || idTokenOf(path, user);
  const name = text(user, 'username');
  const fixed: KubeCredentials = {
    ...certificate,
    ...(token === '' ? {} : { token }),
    ...(name === '' ? {} : { basic: { user: name, password: text(user, 'password') } }),
  };
  return () => Promise.resolve(fixed);
}

/** The token that an `oidc` auth-provider left in the file; renewing it is the work of a credential plugin. */
function idTokenOf(path: string, user: Fields): string {
  const provider = user['auth-provider'];
  if (!isRecord(provider)) return '';
  const token = isRecord(provider['config']) ? text(provider['config'], 'id-token') : '';
  if (token === '') {
    throw problem(
      path,
      `its auth-provider "${text(provider, 'name')}" holds no id-token: use a credential plugin (exec)`,
    );
  }
  return token;
}

function readPlugin(path: string, exec: Fields): ExecPlugin {
  const command = text(exec, 'command');
  if (command === '') throw problem(path, 'its exec plugin has no command');
  const env = new Map<string, string>();
  for (const item of asList(exec['env'])) if (isRecord(item)) env.set(text(item, 'name'), text(item, 'value'));
  return {
    // A path with a separator is relative to the file, a bare name is looked for in PATH.
    command: command.includes('/') ? besides(path, command) : command,
    args: asList(exec['args']).filter((arg) => typeof arg === 'string'),
    env: Object.fromEntries(env),
    apiVersion: text(exec, 'apiVersion') || 'client.authentication.k8s.io/v1',
    installHint: text(exec, 'installHint'),
  };
}

/** `<field>-data` in base64, or the content of the file that `<field>` names. */
async function dataOrFile(path: string, fields: Fields, field: string): Promise<string | undefined> {
  const data = text(fields, `${field}-data`);
  if (data !== '') return Buffer.from(data, 'base64').toString('utf8');
  const file = text(fields, field);
  if (file === '') return undefined;
  try {
    return await readFile(besides(path, file), 'utf8');
  } catch (error) {
    throw problem(path, `its ${field} cannot be read (${errorText(error)})`);
  }
}

function besides(path: string, file: string): string {
  return isAbsolute(file) ? file : join(dirname(path), file);
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === 'string' ? value : '';
}

function problem(path: string, why: string): KubeError {
  return new KubeError('KUBE_CONFIG', `kubeconfig ${path}: ${why}`);
}
