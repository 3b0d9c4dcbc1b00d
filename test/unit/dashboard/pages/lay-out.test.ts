import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { syntheticMesh } from '../../../../bench/dashboard/synthetic-mesh.ts';
import { type Layout, layOut, NODE, shapeOf } from '../../../../dashboard/src/lay-out.ts';
import type { GraphEdge, GraphNode } from '../../../../src/dashboard/service-graph.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';

interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

function overlap(a: Rectangle, b: Rectangle): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

function contains(outer: Rectangle, inner: Rectangle): boolean {
  const right = inner.x + inner.width <= outer.x + outer.width;
  return inner.x >= outer.x && inner.y >= outer.y && right && inner.y + inner.height <= outer.y + outer.height;
}

const boxOf = ({ x, y }: { readonly x: number; readonly y: number }): Rectangle => ({
  x: x - NODE.width / 2,
  y: y - NODE.height / 2,
  ...NODE,
});

function overlapping(all: readonly Rectangle[]): number {
  return all.flatMap((one, index) => all.slice(index + 1).filter((other) => overlap(one, other))).length;
}

describe('the layout of the graph', () => {
  const { nodes, edges } = syntheticMesh(200, seededRandom(3)).answer() as {
    readonly nodes: readonly GraphNode[];
    readonly edges: readonly GraphEdge[];
  };

  for (const direction of ['LR', 'TB'] as const) {
    it(`puts 200 services into frames that hold their own and overlap nobody (${direction})`, () => {
      const layout: Layout = layOut(nodes, edges, direction);
      assert.equal(overlapping(layout.nodes.map(boxOf)), 0);
      const namespaces = layout.frames.filter(({ kind }) => kind === 'namespace');
      assert.equal(overlapping(namespaces), 0);
      for (const node of layout.nodes) {
        const own = layout.frames.filter((frame) => contains(frame, boxOf(node)));
        assert.deepEqual(
          own.map(({ name }) => name),
          [node.namespace, ...(node.waypoint === '' ? [] : [node.waypoint])],
          node.id,
        );
      }
      for (const frame of layout.frames) assert.ok(contains(layout.box, frame), frame.id);
    });
  }

  it('draws every call from its client to its server', () => {
    const layout = layOut(nodes, edges, 'LR');
    const places = new Map(layout.nodes.map((node) => [node.id, boxOf(node)]));
    assert.equal(layout.links.length, edges.length);
    const near = ({ x, y, width, height }: Rectangle, point: { readonly x: number; readonly y: number }) =>
      contains({ x: x - 1, y: y - 1, width: width + 2, height: height + 2 }, { ...point, width: 0, height: 0 });
    for (const { id, from, to, points } of layout.links) {
      const [start, end] = [points[0], points.at(-1)];
      assert.ok(start && near(places.get(from) as Rectangle, start), `${id} begins at its client`);
      assert.ok(end && near(places.get(to) as Rectangle, end), `${id} ends at its server`);
    }
  });

  it('depends on who is there and who calls whom, not on numbers', () => {
    const busier = edges.map((edge) => ({ ...edge, requestsPerSec: edge.requestsPerSec * 2 }));
    assert.equal(shapeOf(nodes, busier, 'LR'), shapeOf(nodes, edges, 'LR'));
    assert.notEqual(shapeOf(nodes, edges.slice(1), 'LR'), shapeOf(nodes, edges, 'LR'));
  });
});
