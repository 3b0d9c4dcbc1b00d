/** The profilers of the control thread and of the data threads as one. */
import type { Clock } from '../base/clock.ts';
import type { ThreadProfilers, ThreadSamples } from '../telemetry/profile-routes.ts';
import { ThreadProfiler } from '../telemetry/thread-profiler.ts';
import type { DataThreads } from './data-threads.ts';

/** @param threads the data threads; those that share the control thread are covered by it */
export function threadProfilers(threads: DataThreads, clock: Clock): ThreadProfilers {
  const own = new ThreadProfiler(clock);
  return {
    async cpu(durationMs, frequencyHz) {
      const request = { type: 'profile-cpu', durationMs, frequencyHz } as const;
      const [control, data] = await Promise.all([
        own.cpu(durationMs, frequencyHz),
        threads.shareCaller ? [] : threads.request(request),
      ]);
      return control && named(control, data);
    },
    async sampleHeap(active) {
      const others = threads.shareCaller ? [] : threads.request({ type: 'sample-heap', active });
      await Promise.all([own.sampleHeap(active), others]);
    },
    async heap() {
      const others = threads.shareCaller ? [] : threads.request({ type: 'profile-heap' });
      const [control, data] = await Promise.all([own.heap(), others]);
      return control && named(control, data);
    },
  };
}

function named(
  control: ThreadSamples['samples'],
  data: readonly (ThreadSamples['samples'] | undefined)[],
): ThreadSamples[] {
  const others = data.map((samples = [], index) => ({ thread: `data-${index}`, samples }));
  return [{ thread: 'control', samples: control }, ...others];
}
