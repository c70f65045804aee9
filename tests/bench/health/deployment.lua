-- Argo CD judges Deployments in Go; this is the same in Lua, to have a script over a large object.
local hs = {status = "Progressing", message = "waiting for the controller"}
if obj.spec.paused then
  return {status = "Suspended", message = "it is paused"}
end
if obj.status == nil or (obj.status.observedGeneration or 0) < obj.metadata.generation then
  return hs
end
for _, condition in ipairs(obj.status.conditions or {}) do
  if condition.type == "Progressing" and condition.reason == "ProgressDeadlineExceeded" then
    return {status = "Degraded", message = condition.message}
  end
end
if (obj.status.updatedReplicas or 0) < obj.spec.replicas or (obj.status.availableReplicas or 0) < obj.spec.replicas then
  hs.message = "waiting for " .. obj.spec.replicas .. " replicas"
  return hs
end
return {status = "Healthy"}
