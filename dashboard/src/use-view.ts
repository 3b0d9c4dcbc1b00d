/** Which part of the graph is seen: all of it at first; dragged, zoomed by wheel, keys and buttons. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Layout } from './lay-out.ts';
import type { View } from './traffic-dots.tsx';

const MIN_SCALE = 0.08;
const MAX_SCALE = 3;
/** Small graphs are not blown up. */
const MAX_FIT = 1.25;
/** On a narrow screen the graph begins at its corner, and is readable. */
const NARROW_PIXELS = 600;
const MIN_NARROW_FIT = 0.6;
const STEP = 1.25;
const PAN_PIXELS = 60;

/** The element that the graph is seen in. */
interface Held {
  readonly current: HTMLElement | null;
}

export interface GraphView {
  readonly view: View;
  readonly size: { readonly width: number; readonly height: number };
  zoom(factor: number): void;
  fit(): void;
  onKey(event: KeyboardEvent): void;
}

/** @param box what the graph fills @param shape changes when it is another graph */
export function useView(frame: Held, box: Layout['box'], shape: string): GraphView {
  const [size, setSize] = useState({ width: 0, height: 0 });
  const [moved, setMoved] = useState<{ readonly shape: string; readonly view: View }>();
  useLayoutEffect(() => {
    const element = frame.current;
    if (element === null) return;
    const measure = () => setSize({ width: element.clientWidth, height: element.clientHeight });
    const observer = new ResizeObserver(measure);
    measure();
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const view = moved?.shape === shape ? moved.view : fitted(box, size);
  const current = useRef(view);
  current.current = view;
  const change = (next: View) => setMoved({ shape, view: next });
  const zoomAt = (factor: number, px: number, py: number) => change(zoomed(current.current, factor, px, py));
  const pan = (dx: number, dy: number) => {
    const { x, y, scale } = current.current;
    change({ x: x - dx / scale, y: y - dy / scale, scale });
  };
  usePointer(frame, zoomAt, pan, shape);
  const zoom = (factor: number) => zoomAt(factor, size.width / 2, size.height / 2);
  const fit = () => setMoved(undefined);
  const keys: Readonly<Record<string, () => void>> = {
    '+': () => zoom(STEP),
    '=': () => zoom(STEP),
    '-': () => zoom(1 / STEP),
    '0': fit,
    ArrowLeft: () => pan(PAN_PIXELS, 0),
    ArrowRight: () => pan(-PAN_PIXELS, 0),
    ArrowUp: () => pan(0, PAN_PIXELS),
    ArrowDown: () => pan(0, -PAN_PIXELS),
  };
  const onKey = (event: KeyboardEvent) => {
    const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
    if (act === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  };
  return { view, size, zoom, fit, onKey };
}

function fitted(box: Layout['box'], { width, height }: { readonly width: number; readonly height: number }): View {
  if (width === 0 || height === 0) return { x: box.x, y: box.y, scale: 1 };
  const scale = Math.min(width / box.width, height / box.height, MAX_FIT);
  if (width < NARROW_PIXELS && scale < MIN_NARROW_FIT) return { scale: MIN_NARROW_FIT, x: box.x, y: box.y };
  return {
    scale,
    x: box.x - (width / scale - box.width) / 2,
    y: box.y - (height / scale - box.height) / 2,
  };
}

/** The point under the pointer stays where it is. */
function zoomed({ x, y, scale }: View, factor: number, px: number, py: number): View {
  const next = Math.min(MAX_SCALE, Math.max(MIN_SCALE, scale * factor));
  return { scale: next, x: x + px / scale - px / next, y: y + py / scale - py / next };
}

function usePointer(
  frame: Held,
  zoomAt: (factor: number, px: number, py: number) => void,
  pan: (dx: number, dy: number) => void,
  shape: string,
): void {
  useEffect(() => {
    const element = frame.current;
    if (element === null) return;
    const ended = new AbortController();
    const { signal } = ended;
    let last: PointerEvent | undefined;
    element.addEventListener(
      'wheel',
      (event) => {
        event.preventDefault();
        const { left, top } = element.getBoundingClientRect();
        zoomAt(Math.exp(-event.deltaY / 400), event.clientX - left, event.clientY - top);
      },
      { passive: false, signal },
    );
    element.addEventListener(
      'pointerdown',
      (event) => {
        if (event.button === 0) last = event;
      },
      { signal },
    );
    addEventListener(
      'pointermove',
      (event) => {
        if (last === undefined || event.pointerId !== last.pointerId) return;
        pan(event.clientX - last.clientX, event.clientY - last.clientY);
        last = event;
      },
      { signal },
    );
    for (const end of ['pointerup', 'pointercancel'] as const) {
      addEventListener(
        end,
        () => {
          last = undefined;
        },
        { signal },
      );
    }
    return () => ended.abort();
  }, [shape]);
}
