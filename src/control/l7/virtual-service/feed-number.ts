/** Numbers of VirtualServices as the feed can hold them: rules bound few of them from above. */
import type { PercentSpec } from '../../../model/manifest/virtual-service-spec.ts';
import { parseDurationMs } from '../../../model/validation/value-rules.ts';

const LARGEST_UINT32 = 0xffff_ffff;
const PPM_PER_PERCENT = 10_000;

export function toUint32(value: number): number {
  return Math.min(LARGEST_UINT32, Math.max(0, Math.round(value)));
}

/** 0 for what is not given. */
export function toMs(duration: string | undefined): number {
  return toUint32(parseDurationMs(duration) ?? 0);
}

/** Of a million. A percentage without a value is 0. */
export function toPpm(percentage: PercentSpec | undefined, absent: number): number {
  const percent = percentage === undefined ? absent : (percentage.value ?? 0);
  return toUint32(percent * PPM_PER_PERCENT);
}
