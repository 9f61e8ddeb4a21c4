import type { JsonObject } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

/** The method that says how a server is. Source: gRPC, health checking protocol (grpc.health.v1). */
export const HEALTH_CHECK = '/grpc.health.v1.Health/Check'

// Envoy's own health checks remember; a probe asks. The kubelet's GET becomes the call, and the answer to the call one
// that the kubelet understands. It starts as a failure, so that nothing unforeseen is a success, not even a fault of
// the script: the status is first of all 503. A server's names for its states are those of HealthCheckResponse.
export const GRPC_SCRIPT = `
local SERVING = "\\0\\0\\0\\0\\2\\8\\1"
local STATES = { ["\\0\\0\\0\\0\\0"] = "UNKNOWN", ["\\0\\0\\0\\0\\2\\8\\2"] = "NOT_SERVING", ["\\0\\0\\0\\0\\2\\8\\3"] = "SERVICE_UNKNOWN" }

function envoy_on_request(handle)
  local headers = handle:headers()
  headers:replace(":method", "POST")
  headers:replace("content-type", "application/grpc")
  headers:replace("te", "trailers")
  headers:remove("accept")
  local question = handle:filterContext():get("question")
  handle:body(true):setBytes((question:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end)))
end

local function answer(handle)
  local body = handle:body(true)
  local bytes = body:getBytes(0, body:length())
  local trailers = handle:trailers()
  local status = trailers and trailers:get("grpc-status") or handle:headers():get("grpc-status")
  if status == "0" and bytes == SERVING then
    handle:headers():replace(":status", "200")
    body:setBytes("countersign: the application says SERVING\\n")
  elseif status == "0" then
    body:setBytes("countersign: the application says " .. (STATES[bytes] or "nothing of its health") .. "\\n")
  else
    body:setBytes("countersign: the application answers with the gRPC status " .. (status or "that is missing") .. "\\n")
  end
  for _, name in ipairs({ "grpc-status", "grpc-message", "grpc-encoding", "grpc-accept-encoding" }) do
    handle:headers():remove(name)
  end
  handle:headers():replace("content-type", "text/plain")
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local status, kind = headers:get(":status"), headers:get("content-type") or ""
  headers:replace(":status", "503")
  if status == "200" and kind:sub(1, 16) == "application/grpc" then answer(handle) end
end
`

/** What a route says to the script: of whose health to ask; empty for the whole server's. */
export const grpcQuestion = (service: string): JsonObject => ({ question: message(service).toString('hex') })

/** HealthCheckRequest with the length before it (gRPC over HTTP/2, Length-Prefixed-Message). */
function message(service: string): Buffer {
  const bytes =
    service === '' ? Buffer.alloc(0) : new BinaryWriter().tag(1, WireType.LengthDelimited).string(service).finish()
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(bytes.length, 1)
  return Buffer.concat([prefix, bytes])
}
