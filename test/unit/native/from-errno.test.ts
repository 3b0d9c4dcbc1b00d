import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { describe, it } from 'node:test';
import { systemErrorCode } from '../../../src/base/errors.ts';
import { fromErrno, isWouldBlock, readFailure } from '../../../src/native/from-errno.ts';

const failure = (step: number, errno: number) => -((step << 12) | errno);
const SET_MARK = 4;
const ENTER_NETNS = 2;
const BIND = 9;
const ACCEPT = 14;

describe('fromErrno', () => {
  it('names the step, the errno and the capability that is missing', () => {
    const error = fromErrno(failure(SET_MARK, constants.errno.EPERM), 'listener');
    assert.equal(error.code, 'NATIVE_PERMISSION');
    assert.match(error.message, /listener: cannot set SO_MARK \(EPERM\).*CAP_NET_ADMIN/);
    assert.equal(systemErrorCode(error.cause), 'EPERM');
  });

  it('asks for CAP_SYS_ADMIN when a namespace cannot be entered, and knows a descriptor that is none', () => {
    assert.match(fromErrno(failure(ENTER_NETNS, constants.errno.EPERM), 'x').message, /CAP_SYS_ADMIN/);
    assert.equal(fromErrno(failure(ENTER_NETNS, constants.errno.EINVAL), 'x').code, 'NATIVE_BAD_NETNS');
  });

  it('tells an address in use from one the namespace does not have', () => {
    assert.equal(fromErrno(failure(BIND, constants.errno.EADDRINUSE), 'x').code, 'NATIVE_ADDRESS_IN_USE');
    assert.equal(fromErrno(failure(BIND, constants.errno.EADDRNOTAVAIL), 'x').code, 'NATIVE_ADDRESS_UNAVAILABLE');
  });

  it('knows "nothing to do now"', () => {
    assert.ok(isWouldBlock(failure(ACCEPT, constants.errno.EAGAIN)));
    assert.ok(!isWouldBlock(failure(ACCEPT, constants.errno.EMFILE)));
  });

  it('survives steps and errors it does not know', () => {
    assert.deepEqual(readFailure(failure(99, constants.errno.EIO)), {
      step: 'unknown step',
      errnoName: 'EIO',
      errno: -constants.errno.EIO,
    });
    assert.equal(fromErrno(failure(BIND, constants.errno.EIO), 'x').code, 'NATIVE_FAILED');
  });
});
