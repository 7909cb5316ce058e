local all = {}
for name, header in pairs(headers) do
  local prefix = name == "header" and "ip_os." or "ip_os." .. name .. "."
  for _, f in ipairs(header) do
    local new, label, base, meaning = f[3], f[4], f[5], f[6]
    if base then
      f.field = new(prefix .. label, label, base, names[name .. "." .. label], nil, meaning)
    elseif new == ProtoField.bytes then
      f.field = new(prefix .. label, label, nil, meaning)
    else
      f.field = new(prefix .. label, label, meaning)
    end
    table.insert(all, f.field)
  end
end
local data_bytes = ProtoField.bytes("ip_os.data.bytes", "bytes")
local extra = ProtoField.bytes("ip_os.trailer.extra", "extra")
local checksum_ok = ProtoField.bool("ip_os.checksum_ok", "checksum is right")
local truncated = ProtoField.string("ip_os.truncated", "truncated in")
table.insert(all, data_bytes)
table.insert(all, extra)
table.insert(all, checksum_ok)
table.insert(all, truncated)
ipos.fields = all

-- Shows one header; returns where it ends, or nil if the packet does before.
local function show(header, tvb, offset, tree)
  if tvb:len() < offset + header.len then
    tree:add(truncated, header.title)
    return nil
  end
  local branch = tree:add(ipos, tvb(offset, header.len), header.title)
  for _, f in ipairs(header) do
    branch:add(f.field, tvb(offset + f[1], f[2]))
  end
  return offset + header.len
end

-- RFC 1071 over the first bytes.
local function valid(tvb, covered)
  local sum = 0
  for i = 0, covered - 2, 2 do sum = sum + tvb(i, 2):uint() end
  if covered % 2 == 1 then sum = sum + tvb(covered - 1, 1):uint() * 256 end
  return sum > 0 and sum % 0xffff == 0
end

local function body(kind, protocol, tvb, offset, tree)
  if kind == 0x01 then
    offset = show(headers.connection, tvb, offset, tree)
    if offset and protocol == 1 then offset = show(headers.tcb, tvb, offset, tree) end
  elseif kind >= 0x80 then
    local head = offset
    offset = show(headers.ext, tvb, offset, tree)
    if offset then
      local start = offset
      -- a later format may have made the body longer
      local known = bodies[kind] and show(bodies[kind], tvb, offset, tree)
      if bodies[kind] and not known then return nil end
      offset = start + tvb(head + 15, 1):uint()
      if tvb:len() < offset then
        tree:add(truncated, headers.ext.title)
        return nil
      end
      if bodies[kind] == headers.data then
        local length = tvb(start + 5, 2):uint()
        if tvb:len() < offset + length then
          tree:add(truncated, headers.data.title)
          return nil
        end
        if length > 0 then tree:add(data_bytes, tvb(offset, length)) end
        offset = offset + length
      end
    end
  end
  return offset
end

-- Fixed part, extras (kind 1, length 1, value), tag.
local function trailer(tvb, offset, tree)
  local start = offset
  offset = show(headers.trailer, tvb, offset, tree)
  if not offset then return nil end
  local covered = start + tvb(start + 3, 1):uint() - headers.trailer_tag.len
  if covered < offset or tvb:len() < covered then
    tree:add(truncated, headers.trailer.title)
    return nil
  end
  while offset + 2 <= covered do
    local length = tvb(offset + 1, 1):uint()
    if offset + 2 + length > covered then break end
    tree:add(extra, tvb(offset, 2 + length))
    offset = offset + 2 + length
  end
  return show(headers.trailer_tag, tvb, covered, tree)
end

function ipos.dissector(tvb, pinfo, tree)
  pinfo.cols.protocol = "ipOS"
  local root = tree:add(ipos, tvb())
  local offset = show(headers.header, tvb, 0, root)
  if not offset then return tvb:len() end
  local kind, protocol = tvb(12, 1):uint(), tvb(13, 1):uint()
  local name = names["header.kind"][kind] or string.format("unknown type %#04x", kind)
  root:append_text(", " .. name)
  if kind == 0x02 then
    root:add(checksum_ok, tvb(14, 2), valid(tvb, offset))
    root:set_len(offset)
    if tvb:len() > offset then
      -- a packet that ends too soon, in the capture or on the wire, is an error to the caller
      local whole, length = pcall(function() return Dissector.get("ip"):call(tvb(offset):tvb(), pinfo, tree) end)
      if whole then return offset + length end
      root:add(truncated, "IPv4 packet")
    end
    return tvb:len()
  end
  pinfo.cols.info = string.format("%s, client %s:%d, owner %s:%d", name, tostring(tvb(0, 4):ipv4()),
    tvb(4, 2):uint(), tostring(tvb(6, 4):ipv4()), tvb(10, 2):uint())
  offset = body(kind, protocol, tvb, offset, root)
  if not offset then return tvb:len() end
  root:add(checksum_ok, tvb(14, 2), valid(tvb, offset))
  if tvb:len() >= offset + 2 and tvb(offset, 2):uint() == MAGIC then
    offset = trailer(tvb, offset, root) or tvb:len()
  end
  root:set_len(offset)
  return offset
end

DissectorTable.get("ethertype"):add(EXPERIMENTAL, ipos)

-- The default type is below 0x0600: Wireshark takes it for an 802.3 length and asks nobody. Heuristic
-- dissectors see Ethernet frames before that. A real 802.3 frame of this length has padding where the
-- type and protocol of ipOS would be.
ipos:register_heuristic("eth", function(tvb, pinfo, tree)
  local offset = headers.eth.len
  if tvb:len() < offset + headers.header.len then return false end
  local ethertype = tvb(offset - 2, 2):uint()
  if ethertype == VLAN then
    ethertype = tvb(offset + 2, 2):uint()
    offset = offset + headers.tag.len
  end
  if ethertype ~= ETHERTYPE or tvb:len() < offset + headers.header.len then return false end
  local kind, protocol = tvb(offset + 12, 1):uint(), tvb(offset + 13, 1):uint()
  if not names["header.kind"][kind] or not names["header.protocol"][protocol] then return false end
  pinfo.cols.dl_src = tostring(tvb(6, 6):ether())
  pinfo.cols.dl_dst = tostring(tvb(0, 6):ether())
  local root = tree:add(ipos, tvb(0, offset), "ipOS link")
  show(headers.eth, tvb, 0, root)
  if offset > headers.eth.len then show(headers.tag, tvb, headers.eth.len, root) end
  ipos.dissector(tvb(offset):tvb(), pinfo, tree)
  return true
end)
