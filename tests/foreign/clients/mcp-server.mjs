// An MCP server that knows nothing of tokens: streamable HTTP without sessions, by the SDK. Its one tool, `whoami`,
// answers the headers that the request came with. The first line that it prints is its address.
import { createServer } from "node:http";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";

function mcp() {
  const server = new McpServer({ name: "whoami", version: "1.0.0" });
  server.registerTool("whoami", { description: "The headers of this request." }, ({ requestInfo }) => ({
    content: [{ type: "text", text: JSON.stringify(requestInfo.headers) }],
  }));
  return server;
}

const listener = createServer(async (request, response) => {
  if (request.method !== "POST") {
    response.writeHead(405, { allow: "POST" }).end();
    return;
  }
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  const server = mcp();
  response.on("close", () => server.close());
  await server.connect(transport);
  await transport.handleRequest(request, response);
});
listener.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${listener.address().port}/mcp`));
