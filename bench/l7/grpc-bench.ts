import { buildGoTool } from '../go-tool.ts';

/** gRPC's own benchmark programs, of the Go module of the conformance tests. @throws Error without Go */
export function buildGrpcBench(): { readonly client: string; readonly server: string } {
  const built = (side: 'client' | 'server') =>
    buildGoTool(`grpc-bench-${side}`, 'test/conformance/grpc', `google.golang.org/grpc/benchmark/${side}`);
  return { client: built('client'), server: built('server') };
}
