/**
 * The one translator of the addon's failures. A failure is a negative number: -(step << 12 | errno), see
 * src/native/status.h.
 */
import { getSystemErrorName } from 'node:util';
import { AmbitError } from '../base/errors.ts';

/** What the native layer can fail with. */
export type NativeErrorCode =
  | 'NATIVE_ADDON_MISSING'
  | 'NATIVE_PERMISSION'
  | 'NATIVE_ADDRESS_IN_USE'
  | 'NATIVE_ADDRESS_UNAVAILABLE'
  | 'NATIVE_NO_DESCRIPTORS'
  | 'NATIVE_BAD_NETNS'
  | 'NATIVE_UNSUPPORTED'
  | 'NATIVE_PEER_GONE'
  | 'NATIVE_TRUNCATED'
  | 'NATIVE_WOULD_BLOCK'
  | 'NATIVE_FAILED';

/** In the order of `enum class Step` in src/native/status.h, which counts from 1. */
const STEPS = [
  'open the own network namespace',
  'enter the network namespace',
  'open the socket',
  'set SO_MARK',
  'set IP_TRANSPARENT',
  'set IP_FREEBIND',
  'set IPV6_V6ONLY',
  'set SO_REUSEPORT or SO_REUSEADDR',
  'bind',
  'listen',
  'set keep-alive',
  'set TCP_USER_TIMEOUT',
  'set TCP_NODELAY',
  'accept',
  'read the original destination',
  'raise the limit of open files',
  'connect',
  'send',
  'receive',
  'receive a whole packet',
  'watch the descriptor',
  'read the local address',
  'close',
] as const;

const ERRNO_BITS = 12;

/** A failure taken apart. */
export interface NativeFailure {
  readonly step: string;
  /** Such as `EADDRINUSE`. */
  readonly errnoName: string;
  /** Below zero, as Node counts. */
  readonly errno: number;
}

/** Takes a failure apart. `result` is below zero. */
export function readFailure(result: number): NativeFailure {
  const value = -result;
  const step = STEPS[(value >> ERRNO_BITS) - 1] ?? 'unknown step';
  const errno = -(value & ((1 << ERRNO_BITS) - 1));
  return { step, errnoName: getSystemErrorName(errno), errno };
}

/** A failure as node:net says it, of what the addon does in its place. @param peer of a connect: `10.0.0.1:80` */
export function asNodeError(result: number, syscall: 'connect' | 'write', peer?: string): Error {
  const { errnoName: code, errno } = readFailure(result);
  const message = [syscall, code, peer].filter((part) => part !== undefined).join(' ');
  return Object.assign(new Error(message), { code, errno, syscall });
}

/** Whether a failure says no more than "nothing to do now". */
export function isWouldBlock(result: number): boolean {
  const { errnoName } = readFailure(result);
  return errnoName === 'EAGAIN' || errnoName === 'EWOULDBLOCK';
}

interface Diagnosis {
  readonly code: NativeErrorCode;
  readonly text: string;
}

const PERMISSION_TEXT: Readonly<Record<string, string>> = {
  'enter the network namespace': 'the process needs CAP_SYS_ADMIN, also in the user namespace that owns the target',
  'set SO_MARK': 'the process needs CAP_NET_ADMIN (or CAP_NET_RAW from Linux 5.17 on)',
  'set IP_TRANSPARENT': 'the process needs CAP_NET_ADMIN or CAP_NET_RAW',
  bind: 'ports below 1024 need CAP_NET_BIND_SERVICE; a foreign source address needs IP_TRANSPARENT',
};

const DIAGNOSES: Readonly<Record<string, Diagnosis>> = {
  EADDRINUSE: {
    code: 'NATIVE_ADDRESS_IN_USE',
    text: 'another socket has this address and port, without SO_REUSEPORT or under another user',
  },
  EADDRNOTAVAIL: {
    code: 'NATIVE_ADDRESS_UNAVAILABLE',
    text: 'the namespace does not have this address, or no source port is left',
  },
  EMFILE: { code: 'NATIVE_NO_DESCRIPTORS', text: 'the process is at its limit of open files (ulimit -n)' },
  ENFILE: { code: 'NATIVE_NO_DESCRIPTORS', text: 'the machine is at its limit of open files (fs.file-max)' },
  EBADF: { code: 'NATIVE_FAILED', text: 'the descriptor was closed already' },
  EINVAL: { code: 'NATIVE_FAILED', text: 'the kernel refuses the value' },
  EAFNOSUPPORT: { code: 'NATIVE_UNSUPPORTED', text: 'the address family is off in this kernel' },
  ENOPROTOOPT: {
    code: 'NATIVE_UNSUPPORTED',
    text: 'this kernel does not know the option (for the original destination: nf_conntrack is not loaded)',
  },
  ENOENT: { code: 'NATIVE_PEER_GONE', text: 'there is no such entry; for a socket path: nobody listens there' },
  ECONNREFUSED: { code: 'NATIVE_PEER_GONE', text: 'nobody listens on the other side' },
  EPIPE: { code: 'NATIVE_PEER_GONE', text: 'the peer closed the connection' },
  ECONNRESET: { code: 'NATIVE_PEER_GONE', text: 'the peer closed the connection with data unread' },
  ENOTCONN: { code: 'NATIVE_PEER_GONE', text: 'the connection is gone' },
  EAGAIN: { code: 'NATIVE_WOULD_BLOCK', text: 'the other side does not keep up' },
  EMSGSIZE: { code: 'NATIVE_TRUNCATED', text: 'the packet or its descriptors do not fit' },
};

function diagnose({ step, errnoName }: NativeFailure): Diagnosis {
  if (errnoName === 'EPERM' || errnoName === 'EACCES') {
    return { code: 'NATIVE_PERMISSION', text: PERMISSION_TEXT[step] ?? 'the process lacks a permission' };
  }
  if (step === 'enter the network namespace') {
    return { code: 'NATIVE_BAD_NETNS', text: 'the descriptor is not a network namespace, or was closed' };
  }
  return DIAGNOSES[errnoName] ?? { code: 'NATIVE_FAILED', text: 'see the error name' };
}

/**
 * The error of a failed native call. The cause carries the errno name as `code`.
 * @param result what the addon returned, below zero
 * @param what what was being done, such as `listener 10.0.0.1:80`
 */
export function fromErrno(result: number, what: string): AmbitError<NativeErrorCode> {
  const failure = readFailure(result);
  const { code, text } = diagnose(failure);
  const cause = Object.assign(new Error(`${failure.step}: ${failure.errnoName}`), { code: failure.errnoName });
  return new AmbitError(code, `${what}: cannot ${failure.step} (${failure.errnoName}): ${text}`, { cause });
}
