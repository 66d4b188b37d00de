#include "mqttrpc/mqtt/properties.h"

#include <functional>
#include <utility>

#include "property_table.h"
#include "wire.h"

namespace mqttrpc::mqtt {
namespace {

// One property as it lies in a Properties' bytes; also one that did not fit.
struct Place {
  std::size_t begin = 0;
  std::size_t size = 0;  // 0: not there.
};

std::size_t FirstSize(std::string_view rest) {
  if (rest.front() == kOverlongMark) return std::min<std::size_t>(2, rest.size());
  std::string_view behind = rest;
  PropertyView ignored;
  return TakeProperty(behind, ignored) ? rest.size() : rest.size() - behind.size();
}

Place Locate(std::string_view bytes, PropertyId id) {
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = FirstSize(bytes.substr(at));
    const std::size_t id_at = bytes[at] == kOverlongMark ? at + 1 : at;
    if (id_at < bytes.size() && static_cast<PropertyId>(bytes[id_at]) == id) return {at, size};
    at += size;
  }
  return {};
}

// The bytes of one property. A value that has no bytes becomes an overlong mark.
std::string Encoded(PropertyId id, std::uint32_t number) {
  std::string bytes;
  Writer out(bytes);
  out.U8(static_cast<std::uint8_t>(id));
  switch (FindPropertySpec(static_cast<std::uint32_t>(id))->type) {
    case WireType::kByte: out.U8(static_cast<std::uint8_t>(number)); break;
    case WireType::kTwoBytes: out.U16(static_cast<std::uint16_t>(number)); break;
    case WireType::kVariable: out.VariableByteInteger(number); break;
    default: out.U32(number);
  }
  return out.failed() ? std::string{kOverlongMark, static_cast<char>(id)} : bytes;
}

std::string Encoded(PropertyId id, std::string_view text) {
  std::string bytes;
  Writer out(bytes);
  out.U8(static_cast<std::uint8_t>(id));
  out.Binary(text);
  return out.failed() ? std::string{kOverlongMark, static_cast<char>(id)} : bytes;
}

// Overwrites the property, or adds it at the end.
void Put(std::string& all, PropertyId id, const std::string& encoded) {
  const Place place = Locate(all, id);
  if (place.size == 0) {
    all += encoded;
  } else {
    all.replace(place.begin, place.size, encoded);
  }
}

// Whether `text` may go behind `all` as it is: it fits, and does not lie in it.
bool Appendable(const std::string& all, std::string_view text) {
  const std::less<const char*> before;
  const bool apart = before(text.data(), all.data()) || !before(text.data(), all.data() + all.size());
  return apart && text.size() <= kMaximumStringBytes;
}

}  // namespace

PropertyView PropertiesView::TakeFirst(std::string_view& rest) {
  PropertyView property;
  if (rest.front() == kOverlongMark) {
    rest.remove_prefix(std::min<std::size_t>(2, rest.size()));
    return property;
  }
  // Checked bytes have no fault; should these have one, the scan must still end.
  if (TakeProperty(rest, property)) rest = {};
  return property;
}

std::optional<PropertyView> PropertiesView::Find(PropertyId id) const {
  std::string_view rest = bytes_;
  while (!rest.empty()) {
    const PropertyView property = TakeFirst(rest);
    if (property.id == id) return property;
  }
  return std::nullopt;
}

std::optional<std::uint8_t> PropertiesView::Get(Property<std::uint8_t> property) const {
  const auto found = Find(property.id);
  if (!found.has_value()) return std::nullopt;
  return static_cast<std::uint8_t>(found->number);
}

std::optional<std::uint16_t> PropertiesView::Get(Property<std::uint16_t> property) const {
  const auto found = Find(property.id);
  if (!found.has_value()) return std::nullopt;
  return static_cast<std::uint16_t>(found->number);
}

std::optional<std::uint32_t> PropertiesView::Get(Property<std::uint32_t> property) const {
  const auto found = Find(property.id);
  if (!found.has_value()) return std::nullopt;
  return found->number;
}

std::optional<std::string_view> PropertiesView::Get(Property<std::string_view> property) const {
  const auto found = Find(property.id);
  if (!found.has_value()) return std::nullopt;
  return found->text;
}

std::optional<std::string_view> PropertiesView::UserProperty(std::string_view name) const {
  std::string_view rest = bytes_;
  while (!rest.empty()) {
    const PropertyView property = TakeFirst(rest);
    if (property.id == PropertyId::kUserProperty && property.text == name) return property.value;
  }
  return std::nullopt;
}

bool PropertiesView::Has(PropertyId id) const { return Find(id).has_value(); }

void Properties::Set(Property<std::uint8_t> property, std::uint8_t value) {
  Put(bytes_, property.id, Encoded(property.id, value));
}

void Properties::Set(Property<std::uint16_t> property, std::uint16_t value) {
  Put(bytes_, property.id, Encoded(property.id, value));
}

void Properties::Set(Property<std::uint32_t> property, std::uint32_t value) {
  Put(bytes_, property.id, Encoded(property.id, value));
}

void Properties::Set(Property<std::string_view> property, std::string_view value) {
  if (Appendable(bytes_, value) && Locate(bytes_, property.id).size == 0) {
    Writer out(bytes_);
    out.U8(static_cast<std::uint8_t>(property.id));
    return out.Binary(value);
  }
  Put(bytes_, property.id, Encoded(property.id, value));
}

void Properties::Add(Property<std::uint32_t> property, std::uint32_t value) { bytes_ += Encoded(property.id, value); }

void Properties::Add(Property<UserPropertyView> property, UserPropertyView value) {
  const auto write = [&](std::string& into) {
    Writer out(into);
    out.U8(static_cast<std::uint8_t>(property.id));
    out.Binary(value.name);
    out.Binary(value.value);
    return !out.failed();
  };
  if (Appendable(bytes_, value.name) && Appendable(bytes_, value.value)) {
    write(bytes_);
    return;
  }
  std::string encoded;
  if (!write(encoded)) encoded = {kOverlongMark, static_cast<char>(property.id)};
  bytes_ += encoded;
}

void Properties::Remove(PropertyId id) {
  for (Place place = Locate(bytes_, id); place.size != 0; place = Locate(bytes_, id)) {
    bytes_.erase(place.begin, place.size);
  }
}

}  // namespace mqttrpc::mqtt
