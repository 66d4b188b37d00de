#include "mqttrpc/mqtt/properties.h"

#include <functional>
#include <utility>

#include "property_scan.h"
#include "wire.h"

namespace mqttrpc::mqtt {
namespace {

// One property as it lies in a Properties' bytes; also one that did not fit.
struct Place {
  std::size_t begin = 0;
  std::size_t size = 0;  // 0: not there.
};

// Removes one property, or an overlong mark, from the front of `rest`, which holds
// checked bytes. The mark's id is none.
inline PropertyView TakeChecked(std::string_view& rest) {
  PropertyView property;
  if (TakeSimpleProperty(rest, property)) return property;
  if (rest.front() == kOverlongMark) {
    rest.remove_prefix(std::min<std::size_t>(2, rest.size()));
    return property;
  }
  // Checked bytes have no fault; should these have one, the scan must still end.
  if (TakeProperty(rest, property)) rest = {};
  return property;
}

Place Locate(std::string_view bytes, PropertyId id) {
  for (std::string_view rest = bytes; !rest.empty();) {
    const std::string_view from_here = rest;
    TakeChecked(rest);
    const std::size_t id_at = from_here.front() == kOverlongMark ? 1 : 0;
    if (id_at < from_here.size() && static_cast<PropertyId>(from_here[id_at]) == id) {
      return {bytes.size() - from_here.size(), from_here.size() - rest.size()};
    }
  }
  return {};
}

// Appends a property; in the place of a value that has no bytes, an overlong mark, and is
// false then.
template <typename WriteValue>
bool AppendProperty(std::string& bytes, PropertyId id, WriteValue&& write_value) {
  const std::size_t before = bytes.size();
  Writer out(bytes);
  out.U8(static_cast<std::uint8_t>(id));
  write_value(out);
  if (!out.failed()) return true;
  bytes.resize(before);
  bytes += {kOverlongMark, static_cast<char>(id)};
  return false;
}

bool AppendNumber(std::string& bytes, PropertyId id, std::uint32_t number) {
  return AppendProperty(bytes, id, [=](Writer& out) {
    switch (FindPropertySpec(static_cast<std::uint32_t>(id))->type) {
      case WireType::kByte: return out.U8(static_cast<std::uint8_t>(number));
      case WireType::kTwoBytes: return out.U16(static_cast<std::uint16_t>(number));
      case WireType::kVariable: return out.VariableByteInteger(number);
      default: return out.U32(number);
    }
  });
}

bool AppendText(std::string& bytes, PropertyId id, std::string_view text) {
  return AppendProperty(bytes, id, [=](Writer& out) { out.Binary(text); });
}

bool AppendPair(std::string& bytes, PropertyId id, UserPropertyView pair) {
  return AppendProperty(bytes, id, [=](Writer& out) {
    out.Binary(pair.name);
    out.Binary(pair.value);
  });
}

// Whether `text` lies apart from `all`, which therefore may grow and move meanwhile.
bool IsApart(const std::string& all, std::string_view text) {
  const std::less<const char*> before;
  return before(text.data(), all.data()) || !before(text.data(), all.data() + all.size());
}

}  // namespace

PropertyView PropertiesView::TakeFirst(std::string_view& rest) { return TakeChecked(rest); }

std::optional<PropertyView> PropertiesView::Find(PropertyId id) const {
  if (!MayHold(id)) return std::nullopt;
  std::string_view rest = bytes_;
  while (!rest.empty()) {
    const PropertyView property = TakeChecked(rest);
    if (property.id == id) return property;
  }
  return std::nullopt;
}

std::optional<std::size_t> PropertiesView::OffsetOf(PropertyId id) const {
  if (!MayHold(id)) return std::nullopt;
  std::string_view rest = bytes_;
  while (!rest.empty()) {
    const std::size_t offset = bytes_.size() - rest.size();
    if (TakeChecked(rest).id == id) return offset;
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
    const PropertyView property = TakeChecked(rest);
    if (property.id == PropertyId::kUserProperty && property.text == name) return property.value;
  }
  return std::nullopt;
}

// What does not fit is not there, but its mark must be found: so all may be.
void Properties::Note(PropertyId id, bool fits) {
  ids_ = fits ? ids_ | PropertiesView::BitOf(id) : PropertiesView::kAllIds;
}

// Overwrites the property, or adds it at the end.
void Properties::Put(PropertyId id, const std::string& encoded) {
  const Place place = view().MayHold(id) ? Locate(bytes_, id) : Place();
  if (place.size == 0) {
    bytes_ += encoded;
  } else {
    bytes_.replace(place.begin, place.size, encoded);
  }
  Note(id, encoded.front() != kOverlongMark);
}

void Properties::SetNumber(PropertyId id, std::uint32_t number) {
  if (!view().MayHold(id)) return Note(id, AppendNumber(bytes_, id, number));
  std::string encoded;
  AppendNumber(encoded, id, number);
  Put(id, encoded);
}

void Properties::Set(Property<std::uint8_t> property, std::uint8_t value) { SetNumber(property.id, value); }
void Properties::Set(Property<std::uint16_t> property, std::uint16_t value) { SetNumber(property.id, value); }
void Properties::Set(Property<std::uint32_t> property, std::uint32_t value) { SetNumber(property.id, value); }

void Properties::Set(Property<std::string_view> property, std::string_view value) {
  if (!view().MayHold(property.id) && IsApart(bytes_, value)) {
    return Note(property.id, AppendText(bytes_, property.id, value));
  }
  std::string encoded;
  AppendText(encoded, property.id, value);
  Put(property.id, encoded);
}

void Properties::Add(Property<std::uint32_t> property, std::uint32_t value) {
  Note(property.id, AppendNumber(bytes_, property.id, value));
}

void Properties::Add(Property<UserPropertyView> property, UserPropertyView value) {
  if (IsApart(bytes_, value.name) && IsApart(bytes_, value.value)) {
    return Note(property.id, AppendPair(bytes_, property.id, value));
  }
  std::string encoded;
  Note(property.id, AppendPair(encoded, property.id, value));
  bytes_ += encoded;
}

void Properties::Remove(PropertyId id) {
  for (Place place = Locate(bytes_, id); place.size != 0; place = Locate(bytes_, id)) {
    bytes_.erase(place.begin, place.size);
  }
  if (ids_ != PropertiesView::kAllIds) ids_ &= ~PropertiesView::BitOf(id);
}

}  // namespace mqttrpc::mqtt
