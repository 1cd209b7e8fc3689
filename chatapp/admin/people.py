"""People: the owner invites them here, and lets them go by deactivating them.

Who has conversations or calls cannot be deleted, because the ledger keeps its rows.
"""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission
from django.db.models import Model, ProtectedError
from django.forms import ModelMultipleChoiceField, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import BooleanRadioFilter
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from chatapp import wording
from chatapp.admin import base
from sessions_store.models import Call, Conversation, User

GRANTABLE = (
    "view_call",
    "view_conversation",
    "view_turn",
    "view_processlease",
    "view_user",
    "add_user",
    "change_user",
    "delete_user",
)
"""What staff can be allowed: the other permissions open nothing."""

POWERS = ("is_staff", "is_superuser", "user_permissions")

# Registered by the import above. There are too few kinds of people for groups of permissions.
admin.site.unregister(Group)


class PermissionField(ModelMultipleChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return str(obj.name)


class InviteForm(UserCreationForm):
    usable_password = None  # who has no password could not sign in: the sign-in link is for this machine only


class PersonForm(UserChangeForm):
    acting: Any
    """Who fills in the form."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.instance.pk == self.acting.pk:
            # So there is always a superuser left: the one who takes the right from another.
            for field, words in (
                ("is_active", "deactivate yourself"),
                ("is_staff", "shut yourself out of the administration"),
                ("is_superuser", "take your own rights away"),
            ):
                if field in cleaned and getattr(self.acting, field) and not cleaned[field]:
                    self.add_error(field, ValidationError(f"You cannot {words}. Ask another superuser."))
        return cleaned


@admin.register(User)
class PersonAdmin(DjangoUserAdmin, ModelAdmin):
    form = PersonForm
    add_form = InviteForm
    change_password_form = AdminPasswordChangeForm
    actions = None
    list_filter_submit = True
    list_display = ("username", "name", "email", "active", "staff", "superuser", "last_seen")
    list_filter = (
        ("is_active", BooleanRadioFilter),
        ("is_staff", BooleanRadioFilter),
        ("is_superuser", BooleanRadioFilter),
    )
    empty_value_display = base.NONE
    readonly_fields = ("last_login", "date_joined")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password", "is_active")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Administration", {"fields": POWERS}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "first_name", "last_name", "email", "password1", "password2")}),)

    @display(description="Name")
    def name(self, user: User) -> str:
        return user.get_full_name() or base.NONE

    @display(description="Active", boolean=True, ordering="is_active")
    def active(self, user: User) -> bool:
        return user.is_active

    @display(description="Staff", boolean=True, ordering="is_staff")
    def staff(self, user: User) -> bool:
        return user.is_staff

    @display(description="Superuser", boolean=True, ordering="is_superuser")
    def superuser(self, user: User) -> bool:
        return user.is_superuser

    @display(description="Last sign-in", ordering="last_login")
    def last_seen(self, user: User) -> str:
        return base.when(user.last_login)

    # --- Who may do what: staff who may change people must not make themselves more than they are ----
    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        if obj is not None and obj.pk == request.user.pk:
            return False
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, *POWERS)

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if issubclass(form, PersonForm):
            form.acting = request.user  # a class of its own for each request
        return form

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        if db_field.name == "user_permissions":
            kwargs["queryset"] = Permission.objects.filter(
                content_type__app_label="sessions_store", codename__in=GRANTABLE
            )
            kwargs |= {"form_class": PermissionField, "widget": UnfoldAdminCheckboxSelectMultipleWidget}
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    # --- Deletion -------------------------------------------------------------------------------
    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Say why before anything is asked: the list of everything that stands in the way could be endless."""
        user = self.get_object(request, object_id)
        if user is not None and self.has_delete_permission(request, user) and _holds_rows(user):
            return self._refuse(request, user)
        try:
            return super().delete_view(request, object_id, extra_context)
        except ProtectedError:  # they wrote something between the question and the answer
            return self._refuse(request, self.get_object(request, object_id))

    def _refuse(self, request: HttpRequest, user: Any) -> HttpResponse:
        conversations, calls = (model.objects.filter(owner=user).count() for model in (Conversation, Call))
        held = " and ".join(
            f"{wording.count(number)} {one if number == 1 else one + 's'}"
            for number, one in ((conversations, "conversation"), (calls, "call"))
            if number
        )
        messages.error(
            request,
            f"{user.username} cannot be deleted: {held} of theirs stand in the ledger, which keeps every row. "
            "Untick “Active” instead: it signs them out and keeps them out.",
        )
        return redirect("admin:sessions_store_user_change", user.pk)


def _may_touch(request: HttpRequest, user: Any) -> bool:
    """Only superusers change other staff: their password is the key to all they may do."""
    return user is None or request.user.is_superuser or user.pk == request.user.pk or not user.is_staff


def _holds_rows(user: User) -> bool:
    return Conversation.objects.filter(owner=user).exists() or Call.objects.filter(owner=user).exists()
