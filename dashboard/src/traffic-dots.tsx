/**
 * Traffic as dots that run along the calls: the busier a call the more dots, red ones for what fails.
 *
 * They are drawn on a canvas over the graph: hundreds of them change at every frame, which elements are too slow for.
 */
import { useEffect, useRef } from 'preact/hooks';
import type { Point } from './place-boxes.ts';

export interface Stream {
  readonly points: readonly Point[];
  /** Requests and connections together. */
  readonly perSec: number;
  /** 0 to 1. */
  readonly failedShare: number;
}

export interface View {
  readonly x: number;
  readonly y: number;
  /** Pixels of the screen per unit of the graph. */
  readonly scale: number;
}

/** In units of the graph. */
const SPEED_PER_SEC = 70;
const MAX_DOTS = 6;
const RADIUS = 2.6;
const COLORS_MS = 500;

interface Track {
  readonly points: readonly Point[];
  /** From the start to each point. */
  readonly lengths: readonly number[];
  readonly length: number;
  readonly dots: number;
  readonly failed: number;
}

export function TrafficDots({ streams, view }: { readonly streams: readonly Stream[]; readonly view: View }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const now = useRef({ tracks: [] as readonly Track[], view });
  now.current = { tracks: streams.filter(({ perSec }) => perSec > 0).map(trackOf), view };
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext('2d');
    if (element === null || !context) return;
    const still = matchMedia('(prefers-reduced-motion: reduce)');
    let frame = 0;
    let colors = colorsOf(element);
    // Whoever changes the colours of the page sees it a moment later: to ask at each frame would cost more than to draw.
    const timer = setInterval(() => {
      colors = colorsOf(element);
    }, COLORS_MS);
    const draw = (timeMs: number) => {
      frame = requestAnimationFrame(draw);
      if (still.matches) context.clearRect(0, 0, element.width, element.height);
      else drawDots(element, context, now.current.tracks, now.current.view, timeMs / 1000, colors);
    };
    frame = requestAnimationFrame(draw);
    return () => {
      clearInterval(timer);
      cancelAnimationFrame(frame);
    };
  }, []);
  return <canvas ref={canvas} class="dots" />;
}

function trackOf({ points, perSec, failedShare }: Stream): Track {
  const lengths = [0];
  for (const [index, { x, y }] of points.entries()) {
    const before = points[index - 1];
    if (before !== undefined) lengths.push((lengths.at(-1) ?? 0) + Math.hypot(x - before.x, y - before.y));
  }
  const dots = Math.min(MAX_DOTS, 1 + Math.floor(Math.log2(1 + perSec)));
  const failed = failedShare === 0 ? 0 : Math.max(1, Math.round(dots * failedShare));
  return { points, lengths, length: lengths.at(-1) ?? 0, dots, failed };
}

interface Colors {
  readonly good: string;
  readonly failed: string;
}

function colorsOf(element: Element): Colors {
  const { color: good, borderTopColor: failed } = getComputedStyle(element);
  return { good, failed };
}

function drawDots(
  element: HTMLCanvasElement,
  context: CanvasRenderingContext2D,
  tracks: readonly Track[],
  { x, y, scale }: View,
  atSec: number,
  colors: Colors,
): void {
  const density = devicePixelRatio;
  const width = Math.round(element.clientWidth * density);
  const height = Math.round(element.clientHeight * density);
  if (element.width !== width) element.width = width;
  if (element.height !== height) element.height = height;
  context.clearRect(0, 0, width, height);
  const k = scale * density;
  const radius = Math.max(RADIUS * k, 1.2);
  for (const isFailed of [false, true]) {
    context.fillStyle = isFailed ? colors.failed : colors.good;
    context.beginPath();
    for (const track of tracks) {
      for (let dot = 0; dot < track.dots; dot++) {
        if (dot < track.failed !== isFailed) continue;
        const along = (atSec * SPEED_PER_SEC + (dot / track.dots) * track.length) % track.length;
        const point = pointAt(track, along);
        const [cx, cy] = [(point.x - x) * k, (point.y - y) * k];
        if (cx < -radius || cy < -radius || cx > width + radius || cy > height + radius) continue;
        context.moveTo(cx + radius, cy);
        context.arc(cx, cy, radius, 0, 2 * Math.PI);
      }
    }
    context.fill();
  }
}

function pointAt({ points, lengths }: Track, along: number): Point {
  let index = 1;
  while (index < lengths.length - 1 && (lengths[index] ?? 0) < along) index++;
  const [from, to] = [points[index - 1], points[index]];
  if (from === undefined || to === undefined) return { x: 0, y: 0 };
  const start = lengths[index - 1] ?? 0;
  const share = (along - start) / ((lengths[index] ?? 0) - start || 1);
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}
