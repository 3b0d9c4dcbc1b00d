/** Asks a node's agent to take pods into the mesh and out of it, over its Unix socket. */
import { request } from 'node:http';
import { AmbitError } from '../base/errors.ts';
import type { AgentPod } from '../model/agent-pod.ts';

const TIMEOUT_MS = 15_000;

/**
 * Resolves when the pod is in the mesh. @throws AmbitError AGENT_FAILED with the agent's answer
 * @param running whether its programs run already: connections that they have open are spared
 */
export function addPodToMesh(socketPath: string, pod: AgentPod, running: boolean): Promise<void> {
  return call(socketPath, 'POST', running ? '/pods?running=true' : '/pods', JSON.stringify(pod));
}

/** Takes a pod out of the mesh. @param gone its processes have ended: its namespace is left alone */
export function removePodFromMesh(socketPath: string, uid: string, gone: boolean): Promise<void> {
  return call(socketPath, 'DELETE', `/pods/${encodeURIComponent(uid)}${gone ? '?gone=true' : ''}`, '');
}

function call(socketPath: string, method: string, path: string, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string, cause?: unknown) =>
      reject(new AmbitError('AGENT_FAILED', `agent: ${method} ${path}: ${reason}`, { retry: 'idempotent', cause }));
    const call = request({ socketPath, method, path, timeout: TIMEOUT_MS }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', (error) => fail(error.message, error));
      response.on('end', () => {
        if (response.statusCode === 200) resolve();
        else fail(`${response.statusCode} ${Buffer.concat(chunks).toString().trim()}`);
      });
    });
    call.on('timeout', () => call.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)));
    call.on('error', (error) => fail(error.message, error));
    call.end(body);
  });
}
